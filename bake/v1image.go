// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// V1Image returns the bake as go-containerregistry's v1.Image, to be handed to
// its packages. The base's layers are read where they are, when they are read.
// It is an error where the bake is an index.
func (i *Image) V1Image(ctx context.Context) (v1.Image, error) {
	a, err := i.assemble(ctx)
	if err != nil {
		return nil, err
	}
	if a.index {
		return nil, usagef("the bake is an index of %d platforms: use V1Index, or choose one platform", len(a.images))
	}
	return partial.CompressedToImage(&imageCore{ctx, i, &a.images[0]})
}

// V1Index returns the bake as go-containerregistry's v1.ImageIndex. It is an
// error where the bake is a single image.
func (i *Image) V1Index(ctx context.Context) (v1.ImageIndex, error) {
	a, err := i.assemble(ctx)
	if err != nil {
		return nil, err
	}
	if !a.index {
		return nil, usagef("the bake is a single image: use V1Image")
	}
	return &imageIndex{ctx, i, a}, nil
}

// IsIndex reports whether the bake is an index, so that V1Index rather than V1Image
// returns it.
func (i *Image) IsIndex() bool { return i.isIndex() }

// imageCore is a partial.CompressedImageCore. It keeps a context because
// go-containerregistry's interfaces take none.
type imageCore struct {
	ctx   context.Context
	image *Image
	one   *assembledImage
}

var _ partial.CompressedImageCore = (*imageCore)(nil)

func (c *imageCore) RawConfigFile() ([]byte, error)      { return c.one.config, nil }
func (c *imageCore) RawManifest() ([]byte, error)        { return c.one.raw, nil }
func (c *imageCore) MediaType() (types.MediaType, error) { return c.one.desc.MediaType, nil }

func (c *imageCore) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	i := slices.IndexFunc(c.one.manifest.Layers, func(d v1.Descriptor) bool { return d.Digest == h })
	if i < 0 {
		return nil, fmt.Errorf("layer %s: %w", h, ErrNotFound)
	}
	desc := c.one.manifest.Layers[i]
	for _, l := range c.one.patch.layers {
		if d, err := l.descriptor(true); err == nil && d.Digest == h {
			return patchLayer{c.ctx, l, desc}, nil
		}
	}
	return baseLayer{c, desc}, nil
}

// patchLayer is a layer of the bake.
type patchLayer struct {
	ctx   context.Context
	layer *bakedLayer
	desc  v1.Descriptor
}

func (l patchLayer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l patchLayer) DiffID() (v1.Hash, error)            { return l.layer.DiffID() }
func (l patchLayer) Size() (int64, error)                { return l.desc.Size, nil }
func (l patchLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l patchLayer) Compressed() (io.ReadCloser, error)  { return l.layer.open(l.ctx) }

// baseLayer is a layer of the base, read where it is.
type baseLayer struct {
	core *imageCore
	desc v1.Descriptor
}

func (l baseLayer) Digest() (v1.Hash, error)            { return l.desc.Digest, nil }
func (l baseLayer) Size() (int64, error)                { return l.desc.Size, nil }
func (l baseLayer) MediaType() (types.MediaType, error) { return l.desc.MediaType, nil }
func (l baseLayer) Compressed() (io.ReadCloser, error) {
	return l.core.image.base.source.blob(l.core.ctx, l.desc)
}

// imageIndex is the v1.ImageIndex of a bake.
type imageIndex struct {
	ctx       context.Context
	image     *Image
	assembled *assembled
}

var _ v1.ImageIndex = (*imageIndex)(nil)

func (x *imageIndex) MediaType() (types.MediaType, error) { return x.assembled.desc.MediaType, nil }
func (x *imageIndex) Digest() (v1.Hash, error)            { return x.assembled.desc.Digest, nil }
func (x *imageIndex) Size() (int64, error)                { return x.assembled.desc.Size, nil }
func (x *imageIndex) RawManifest() ([]byte, error)        { return x.assembled.raw, nil }

func (x *imageIndex) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(bytes.NewReader(x.assembled.raw))
}

func (x *imageIndex) Image(h v1.Hash) (v1.Image, error) {
	for n := range x.assembled.images {
		if one := &x.assembled.images[n]; one.desc.Digest == h {
			return partial.CompressedToImage(&imageCore{x.ctx, x.image, one})
		}
	}
	return nil, fmt.Errorf("image %s: %w", h, ErrNotFound)
}

func (x *imageIndex) ImageIndex(h v1.Hash) (v1.ImageIndex, error) {
	return nil, fmt.Errorf("index %s: %w", h, ErrNotFound)
}
