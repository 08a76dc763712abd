// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// attachmentSource is a source that can be asked what refers to a manifest.
type attachmentSource interface {
	imageSource
	// referrers lists the manifests whose subject is said to be the manifest
	// with the digest.
	referrers(ctx context.Context, subject v1.Hash) ([]v1.Descriptor, error)
}

// cosignSuffixes is what cosign attaches to a manifest by tags.
var cosignSuffixes = []string{"sig", "att", "sbom"}

// cosignTag is the tag of what cosign attached to a manifest.
func cosignTag(subject v1.Hash, suffix string) string {
	return registry.ReferrersTag(subject) + "." + suffix
}

func openAttachmentSource(ctx context.Context, loc Location, remote *Remote) (attachmentSource, error) {
	source, err := openSource(ctx, loc, remote)
	if err != nil {
		return nil, err
	}
	switch s := source.(type) {
	case registrySource:
		return s, nil
	case layoutSource:
		return &layoutAttachments{layoutSource: s}, nil
	}
	return nil, fmt.Errorf("%s cannot be asked for referrers", loc)
}

func (s registrySource) referrers(ctx context.Context, subject v1.Hash) ([]v1.Descriptor, error) {
	return s.repo.Referrers(ctx, subject)
}

// layoutAttachments is an OCI image layout with an index of the subjects in
// it.
type layoutAttachments struct {
	layoutSource
	once      sync.Once
	err       error
	tagged    map[string]v1.Descriptor    // by tag
	bySubject map[v1.Hash][]v1.Descriptor // entries of index.json that have a subject
}

// referrers lists the entries of the referrers tag, and the entries of
// index.json itself: some tools add a referrer there and tag nothing.
func (s *layoutAttachments) referrers(_ context.Context, subject v1.Hash) ([]v1.Descriptor, error) {
	s.once.Do(func() { s.err = s.list() })
	if s.err != nil {
		return nil, s.err
	}
	var listed []byte
	if list, ok := s.tagged[registry.ReferrersTag(subject)]; ok {
		var err error
		if listed, err = s.readEntry(list); err != nil {
			return nil, fmt.Errorf("listing the referrers of %s: %w", subject, err)
		}
	}
	merged, _, err := registry.MergeReferrers(listed, s.bySubject[subject])
	if err != nil {
		return nil, fmt.Errorf("listing the referrers of %s: %w", subject, err)
	}
	return registry.ParseReferrers(merged)
}

func (s *layoutAttachments) list() error {
	entries, err := layout.Entries(s.fsys)
	if err != nil {
		return err
	}
	s.tagged, s.bySubject = map[string]v1.Descriptor{}, map[v1.Hash][]v1.Descriptor{}
	for _, e := range entries {
		s.tagged[e.Tag] = e.Descriptor
		raw, err := s.readEntry(e.Descriptor)
		if err != nil {
			continue // an entry of no interest is not ours to judge
		}
		var body manifestBody
		if json.Unmarshal(raw, &body) == nil && body.Subject != nil {
			d := v1.Descriptor{MediaType: e.MediaType, Size: int64(len(raw)), Digest: e.Digest}
			s.bySubject[body.Subject.Digest] = append(s.bySubject[body.Subject.Digest], d)
		}
	}
	return nil
}

// readEntry reads a manifest of the layout, verified.
func (s *layoutAttachments) readEntry(desc v1.Descriptor) ([]byte, error) {
	if desc.Size > registry.MaxManifest {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", desc.Digest, desc.Size, registry.MaxManifest)
	}
	f, err := layout.Blob(s.fsys, desc.Digest)
	if err != nil {
		return nil, err
	}
	rc, err := registry.Verify(f, desc)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}
