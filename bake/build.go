// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"fmt"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// The annotations that name a base (OCI image-spec, annotations.md).
const (
	baseNameAnnotation   = "org.opencontainers.image.base.name"
	baseDigestAnnotation = "org.opencontainers.image.base.digest"
)

// An Image is a bake on a base: one image, or an index with an image for each
// platform. Its layers' digests are settled by the first pass over their
// files, which is that of Publish unless something asks for a digest before.
type Image struct {
	base     *Base
	changes  changes
	findings []engine.Finding
	single   bool // one image, although the base is an index

	once      sync.Once
	assembled *assembled
	err       error
}

// assembled is an Image in bytes.
type assembled struct {
	desc   v1.Descriptor
	raw    []byte
	index  bool
	images []assembledImage

	documents []*document // that are published with it
}

// assembledImage is one platform's image.
type assembledImage struct {
	base     *baseImage
	patch    patch
	desc     v1.Descriptor
	raw      []byte
	config   []byte
	manifest v1.Manifest
}

// Build puts plan on base, or on those of its platforms that plan chooses. It
// reads and writes nothing; the error is a CheckError where the bake cannot be
// expressed at all, and ErrNotFound where the base lacks a platform. Where base
// is a baked image itself, the result is the plan on the engine image below, by
// the image's record: bakes replace each other and never stack.
func Build(base *Base, plan *Plan) (*Image, error) {
	if err := plan.possible(); err != nil {
		return nil, err
	}
	below, baked, err := base.unbaked()
	if err != nil {
		return nil, &sideError{base.side, err}
	}
	chosen := *below
	if baked {
		chosen.notes = append(slices.Clone(base.notes), below.replaced(base))
	}
	if err := chosen.keepOnly(plan.platforms); err != nil {
		return nil, &sideError{base.side, err}
	}
	return &Image{base: &chosen, changes: plan, findings: plan.checkOn(&chosen), single: len(chosen.images) == 1 && len(plan.platforms) > 0}, nil
}

// replaced is the note that b is what was found below the bake of the image base.
func (b *Base) replaced(base *Base) string {
	name := b.name
	if name == "" {
		name = "one in a file"
	}
	return fmt.Sprintf("%s is a baked image: its bake is replaced; the engine image below is %s (%s)", base.location, name, b.desc.Digest)
}

// Findings is what the engine contract says about the bake on its base; those of
// allowed rules are notes. It has those of the Plan and, where the base sets
// variables of the contract itself, what follows from them.
func (i *Image) Findings() []engine.Finding { return slices.Clone(i.findings) }

// Verdict is that of Plan.Verdict for the bake on its base.
func (i *Image) Verdict(strict bool) error { return verdict(i.findings, strict) }

// isIndex reports whether the result is an index: where the base is one, unless
// a single platform of it was chosen.
func (i *Image) isIndex() bool { return i.base.index != nil && !i.single }

// assemble makes the manifests, after a pass over every layer that had none.
func (i *Image) assemble(ctx context.Context) (*assembled, error) {
	for _, l := range i.changes.bakedLayers() {
		if err := l.Resolve(ctx); err != nil {
			return nil, err
		}
	}
	i.once.Do(func() { i.assembled, i.err = i.assembleResolved() })
	return i.assembled, i.err
}

func (i *Image) assembleResolved() (*assembled, error) {
	a := &assembled{index: i.isIndex()}
	for _, base := range i.base.images {
		img, err := i.assembleImage(base)
		if err != nil {
			return nil, fmt.Errorf("platform %s: %w", base.platform, err)
		}
		a.images = append(a.images, img)
	}
	if !a.index {
		a.desc, a.raw = a.images[0].desc, a.images[0].raw
		a.desc.Platform, a.desc.Annotations = nil, nil
		return a, nil
	}
	var err error
	a.desc, a.raw, err = i.assembleIndex(a.images)
	return a, err
}

// toOCI reports whether an image of media type t becomes an OCI image as a
// whole.
func (i *Image) toOCI(t types.MediaType) bool {
	return isDocker(t) && i.changes.needsOCI() != ""
}

// describe makes a descriptor of the base one of other content. What else it
// says stays, except for where the old content was.
func (o object) describe(desc v1.Descriptor) error {
	delete(o, "data")
	delete(o, "urls")
	if err := o.set("mediaType", desc.MediaType); err != nil {
		return err
	}
	if err := o.set("digest", desc.Digest); err != nil {
		return err
	}
	return o.set("size", desc.Size)
}
