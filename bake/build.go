// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"fmt"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The annotations that name a base (OCI image-spec, annotations.md).
const (
	baseNameAnnotation   = "org.opencontainers.image.base.name"
	baseDigestAnnotation = "org.opencontainers.image.base.digest"
)

// An Image is a plan on a base: one image, or an index with an image for each
// platform. Its layers' digests are settled by the first pass over their
// files, which is that of Publish unless something asks for a digest before.
type Image struct {
	plan *Plan
	base *Base

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
}

// assembledImage is one platform's image.
type assembledImage struct {
	base     *baseImage
	desc     v1.Descriptor
	raw      []byte
	config   []byte
	manifest v1.Manifest
}

// Build puts plan on base, or on those of its platforms that plan chooses. It
// reads and writes nothing; the error is a CheckError where the bake cannot be
// expressed at all, and ErrNotFound where the base lacks a platform.
func Build(base *Base, plan *Plan) (*Image, error) {
	if err := plan.possible(); err != nil {
		return nil, err
	}
	chosen := *base
	if err := chosen.chosen(plan.platforms); err != nil {
		return nil, &sideError{"base " + base.location.String(), err}
	}
	return &Image{plan: plan, base: &chosen}, nil
}

// isIndex reports whether the result is an index: where the base is one, unless
// a single platform of it was chosen.
func (i *Image) isIndex() bool {
	return i.base.index != nil && (len(i.base.images) > 1 || len(i.plan.platforms) == 0)
}

// assemble makes the manifests, after a pass over every layer that had none.
func (i *Image) assemble(ctx context.Context) (*assembled, error) {
	for _, l := range i.plan.layers {
		if err := l.Resolve(ctx); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.class, err)
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
	docker := t == types.DockerManifestSchema2 || t == types.DockerManifestList
	return docker && i.plan.needsOCI() != ""
}

// needsOCI is the reason why the bake cannot have Docker's media types, or "".
func (p *Plan) needsOCI() string {
	switch {
	case p.spec.Compression.Algorithm == Zstd:
		return "Docker's have no zstd"
	case len(p.spec.Annotations) > 0:
		return "Docker's have no annotations"
	case p.toLayout:
		// Skopeo, Podman and Buildah find nothing else in a layout.
		return "an OCI image layout holds OCI images"
	}
	return ""
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

// record is the bake's record for one platform; the config's own changes are
// added when it is made.
func (i *Image) record(base *baseImage) Record {
	spec := i.plan.spec
	r := Record{
		Version: recordVersion,
		Base: RecordedBase{
			Name:      i.base.name,
			Digest:    base.desc.Digest,
			MediaType: base.desc.MediaType,
			Layers:    len(base.manifest.Layers),
			History:   len(base.config.history),
			ChainID:   base.config.chainID(),
		},
		Assets:      recordedFiles(i.plan.items, i.plan.layers),
		AssetsDir:   spec.AssetsDir,
		Compression: spec.Compression.String(),
		LayerMode:   spec.Layers,
	}
	for _, l := range i.plan.layers {
		r.Layers = append(r.Layers, l.class)
	}
	return r
}
