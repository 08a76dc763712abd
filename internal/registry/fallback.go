// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// ReferrersTag is the tag under which clients list the referrers of a manifest
// where the registry does not (distribution spec, "Referrers Tag Schema").
func ReferrersTag(subject v1.Hash) string { return subject.Algorithm + "-" + subject.Hex }

// A Referrer is a manifest that has a subject.
type Referrer struct {
	// Descriptor describes it as a list of referrers does: with its artifact
	// type and annotations.
	v1.Descriptor
	Raw []byte
	// Stored says that the repository is known to hold it.
	Stored bool
}

// Attach makes the repository hold the referrers of subject and list them: by
// its API, or else under the ReferrersTag, whose other entries stay. What is
// stored and listed already costs no PUT.
func (r *Repository) Attach(ctx context.Context, subject v1.Hash, referrers []Referrer) error {
	err := r.attach(ctx, subject, referrers)
	if err != nil {
		return fmt.Errorf("attaching to %s: %w", subject, err)
	}
	return nil
}

func (r *Repository) attach(ctx context.Context, subject v1.Hash, referrers []Referrer) error {
	listed := map[v1.Hash]bool{}
	if slices.ContainsFunc(referrers, func(f Referrer) bool { return f.Stored }) {
		found, _, err := r.askReferrers(ctx, subject)
		if err != nil {
			return err
		}
		for _, d := range found {
			listed[d.Digest] = true
		}
	}
	unlisted := make([]bool, len(referrers))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, f := range referrers {
		if f.Stored && (listed[f.Digest] || r.host.noReferrers.Load()) {
			unlisted[i] = !listed[f.Digest]
			continue
		}
		g.Go(func() error {
			header, err := r.putManifest(gctx, f.Digest.String(), f.MediaType, f.Raw)
			// The spec's way to say that the registry lists it ("Pushing
			// Manifests with Subject").
			unlisted[i] = header.Get("OCI-Subject") == ""
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	var missing []v1.Descriptor
	for i, f := range referrers {
		if unlisted[i] {
			missing = append(missing, f.Descriptor)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return r.list(ctx, subject, missing)
}

// listTries is how often entries are added to a referrers tag that loses them
// again.
const listTries = 8

// list adds entries to the referrers tag of subject, in one PUT or none where
// nobody else changes it. The distribution spec has no way to write a tag only
// where it is still what was read: another process that read the tag before
// this one wrote it takes the entries out again. So the tag is read once more a
// little later, until the entries stay.
func (r *Repository) list(ctx context.Context, subject v1.Hash, entries []v1.Descriptor) error {
	for n := range listTries {
		changed, err := r.addTo(ctx, subject, entries)
		if err != nil || !changed {
			return err
		}
		if err := pause(ctx, backoff(n)); err != nil {
			return err
		}
	}
	old, err := r.fallback(ctx, subject)
	if err != nil {
		return err
	}
	if _, changed, err := MergeReferrers(old, entries); err != nil || !changed {
		return err
	}
	return fmt.Errorf("%w: others write the tag %s of %s at the same time, and took what was added out of it %d times; try again",
		ErrConflict, ReferrersTag(subject), r.name, listTries)
}

// addTo adds what is missing of entries to the referrers tag of subject; it
// reports false where nothing was.
func (r *Repository) addTo(ctx context.Context, subject v1.Hash, entries []v1.Descriptor) (bool, error) {
	tag := ReferrersTag(subject)
	// What is read, changed and written by two at once would lack what one of
	// them added. Within a process that need not happen.
	turn, _ := r.host.fallbacks.LoadOrStore(r.name.RepositoryStr()+":"+tag, make(chan struct{}, 1))
	if err := take(ctx, turn.(chan struct{})); err != nil {
		return false, err
	}
	defer func() { <-turn.(chan struct{}) }()
	old, err := r.fallback(ctx, subject)
	if err != nil {
		return false, err
	}
	raw, changed, err := MergeReferrers(old, entries)
	if err != nil || !changed {
		return false, err
	}
	return true, r.PutManifest(ctx, tag, types.OCIImageIndex, raw)
}

// fallback reads the referrers tag of subject; nil is none.
func (r *Repository) fallback(ctx context.Context, subject v1.Hash) ([]byte, error) {
	desc, raw, err := r.Manifest(ctx, ReferrersTag(subject))
	switch {
	case errors.Is(err, ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !desc.MediaType.IsIndex():
		return nil, fmt.Errorf("the tag %s of %s is no index of referrers: media type %q", ReferrersTag(subject), r.name, desc.MediaType)
	}
	return raw, nil
}

// MergeReferrers adds entries to the referrers list old, nil for none, unless
// it has them. Old entries stay as they are and where they are; the others
// follow, sorted by digest. It reports false where nothing was added.
func MergeReferrers(old []byte, entries []v1.Descriptor) ([]byte, bool, error) {
	index := map[string]json.RawMessage{}
	if old == nil {
		old = []byte(`{"schemaVersion":2,"mediaType":"` + string(types.OCIImageIndex) + `","manifests":[]}`)
	}
	if err := json.Unmarshal(old, &index); err != nil {
		return nil, false, fmt.Errorf("reading the list of referrers: %w", err)
	}
	there, err := ParseReferrers(old)
	if err != nil {
		return nil, false, err
	}
	var manifests []json.RawMessage
	if raw, ok := index["manifests"]; ok {
		if err := json.Unmarshal(raw, &manifests); err != nil {
			return nil, false, fmt.Errorf("reading the list of referrers: %w", err)
		}
	}
	added := false
	for _, d := range sortReferrers(slices.Clone(entries)) {
		if slices.ContainsFunc(there, func(t v1.Descriptor) bool { return t.Digest == d.Digest }) {
			continue
		}
		raw, err := encode(d)
		if err != nil {
			return nil, false, err
		}
		manifests, added = append(manifests, raw), true
	}
	if !added {
		return old, false, nil
	}
	if index["manifests"], err = encode(manifests); err != nil {
		return nil, false, err
	}
	raw, err := encode(index)
	return raw, true, err
}

// encode is v as JSON without the escapes that only HTML needs.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
