// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// current is the digest that l, which is in files, has for its tag; zero where
// there is no such tag or file.
func (l Location) current() (v1.Hash, error) {
	entries, _, done, err := l.entries()
	if errors.Is(err, fs.ErrNotExist) {
		return v1.Hash{}, nil
	}
	if err != nil {
		return v1.Hash{}, err
	}
	for _, e := range entries {
		// An archive is written anew, whoever published what is in it.
		if e.YieldsTo(l.tag) || l.transport != transportOCI && e.Tag == l.tag {
			return e.Digest, done()
		}
	}
	return v1.Hash{}, done()
}

// entries lists what the layout at l holds. The file system that it is in is
// open until done is called.
func (l Location) entries() (entries []layout.Entry, fsys fs.FS, done func() error, err error) {
	if l.transport == transportOCI {
		// The directory of a layout in the making is none yet.
		if _, err := os.Stat(filepath.Join(l.path, "oci-layout")); err != nil {
			return nil, nil, nil, err
		}
	}
	source, err := openLayout(l)
	if err != nil {
		return nil, nil, nil, err
	}
	fsys = source.(layoutSource).fsys
	if entries, err = layout.Entries(fsys); err != nil {
		return nil, nil, nil, errors.Join(err, source.Close())
	}
	return entries, fsys, source.Close, nil
}

// destinationFailed is destinationError for a location that is no target yet.
func destinationFailed(loc Location, err error) error {
	return &sideError{"destination " + loc.String(), err}
}

// fileReceiver is an image layout or an archive of one.
type fileReceiver struct {
	*freight
	target   *fileTarget
	attached []layout.Entry
}

func (r *fileReceiver) survey(_ context.Context, noClobber bool) error {
	if !noClobber {
		return nil
	}
	type named struct {
		loc  Location
		want v1.Hash
	}
	var tags []named
	for _, loc := range r.target.all {
		tags = append(tags, named{loc, r.top.desc.Digest})
	}
	for _, t := range r.tags {
		loc := r.target.first
		loc.tag = t.tag
		tags = append(tags, named{loc, t.desc.Digest})
	}
	for _, t := range tags {
		holds, err := t.loc.current()
		if err != nil {
			return err
		}
		if _, err := os.Stat(t.loc.path); err == nil && holds == (v1.Hash{}) && t.loc.transport == transportOCIArchive {
			return fmt.Errorf("%w: the archive exists, and would be replaced by one without its images", ErrConflict)
		}
		if holds != (v1.Hash{}) && holds != t.want {
			return conflict(t.loc.tag, holds, t.want)
		}
	}
	return nil
}

// keeps is false: asking for a blob is only a look at a file.
func (r *fileReceiver) keeps(context.Context, *freightBlob) (bool, error) { return false, nil }

func (r *fileReceiver) store(ctx context.Context) error {
	for _, m := range r.all {
		if err := r.put(ctx, m.desc, m.raw); err != nil {
			return err
		}
	}
	return nil
}

// attachments is what belongs to the image and has tags of its own. It reads
// what is attached in the layout now.
func (r *fileReceiver) attachments(ctx context.Context) ([]layout.Entry, error) {
	r.attached = nil
	if subject := r.top.body.Subject; subject != nil {
		if err := r.attach(ctx, subject.Digest, []*manifest{r.top}); err != nil {
			return nil, err
		}
	}
	for _, l := range r.lists {
		if err := r.attach(ctx, l.subject.desc.Digest, l.referrers); err != nil {
			return nil, err
		}
	}
	for _, t := range r.tags {
		r.attached = append(r.attached, layout.Entry{Descriptor: t.desc, Tag: t.tag})
	}
	return r.attached, nil
}

func (r *fileReceiver) put(ctx context.Context, desc v1.Descriptor, raw []byte) error {
	content := registry.Bytes(raw)
	// The digest may be by another algorithm.
	content.Descriptor = func() (v1.Descriptor, bool) { return desc, true }
	if held, err := r.target.writer.Has(ctx, desc); held || err != nil {
		return err
	}
	return r.target.upload(ctx, content)
}

// attach lists the referrers of a subject under its referrers tag: a layout
// has no other place for them.
func (r *fileReceiver) attach(ctx context.Context, subject v1.Hash, referrers []*manifest) error {
	tag := registry.ReferrersTag(subject)
	old, err := r.list(tag)
	if err != nil {
		return fmt.Errorf("reading the tag %s: %w", tag, err)
	}
	var entries []v1.Descriptor
	for _, m := range referrers {
		entries = append(entries, m.listed())
	}
	raw, _, err := registry.MergeReferrers(old, entries)
	if err != nil {
		return fmt.Errorf("adding to the tag %s: %w", tag, err)
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	desc := v1.Descriptor{MediaType: types.OCIImageIndex, Digest: digest, Size: size}
	r.attached = append(r.attached, layout.Entry{Descriptor: desc, Tag: tag})
	return r.put(ctx, desc, raw)
}

// list is the list of referrers under a tag of the layout as it is; nil where
// there is none. An archive is written anew.
func (r *fileReceiver) list(tag string) ([]byte, error) {
	if r.target.first.transport != transportOCI {
		return nil, nil
	}
	entries, fsys, done, err := r.target.first.entries()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Tag == tag {
			raw, err := (&layoutAttachments{layoutSource: layoutSource{fsys: fsys}}).readEntry(e.Descriptor)
			return raw, errors.Join(err, done())
		}
	}
	return nil, done()
}

func (r *fileReceiver) expose(ctx context.Context) ([]string, error) {
	if err := r.target.writer.Commit(ctx, layout.Image{Top: r.top.desc, Attach: r.attachments}, r.target.tags()); err != nil {
		return nil, err
	}
	return []string{r.target.String()}, nil
}
