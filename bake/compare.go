// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// CompareOptions say what Compare looks at; the zero value works.
type CompareOptions struct {
	// Platforms chooses platforms, each OS/ARCH[/VARIANT]; none chooses all.
	Platforms []string
}

// A Difference says how the bake in image B differs from that in image A. Its
// lists are empty rather than nil.
type Difference struct {
	A         ComparedImage `json:"a"`
	B         ComparedImage `json:"b"`
	Identical bool          `json:"identical"` // one digest, or the same image for every platform
	OnlyA     []string      `json:"onlyA"`     // platforms that B does not have
	OnlyB     []string      `json:"onlyB"`     // platforms that A does not have
	// Platforms are those that both have, in A's order; none where the digests
	// of A and B are the same.
	Platforms []PlatformDifference `json:"platforms"`
	// Notes says what could not be compared, and why.
	Notes []string `json:"notes"`
}

// ComparedImage is one side of a Difference.
type ComparedImage struct {
	Image     string          `json:"image"` // by digest
	Digest    v1.Hash         `json:"digest"`
	MediaType types.MediaType `json:"mediaType"`
}

// Compare tells how what is baked into the image at b differs from what is
// baked into the image at a, whoever baked them. Where both have a record,
// files are compared by it, and of layers only small ones are read, up to 1 MiB,
// for schemas that changed; without, the bound files are found as Inspect finds
// them. Of images with the same digest only the manifest is read. A nil remote
// is anonymous. ErrNotFound is for an image that nothing is baked into, and
// ErrIntegrity for a record that does not fit its image.
func Compare(ctx context.Context, a, b string, remote *Remote, opts CompareOptions) (*Difference, error) {
	remote = remote.orDefault()
	chosen, err := parsePlatforms(opts.Platforms)
	if err != nil {
		return nil, err
	}
	var sides [2]*Base
	var tops [2][]byte
	for i, ref := range []string{a, b} {
		if sides[i], err = openUnread(ctx, "image", ref, remote); err != nil {
			return nil, err
		}
		defer sides[i].Close() // was opened for reading only
	}
	each := func(do func(ctx context.Context, i int) error) error {
		g, ctx := errgroup.WithContext(ctx)
		for i := range sides {
			g.Go(func() error {
				if err := do(ctx, i); err != nil {
					return &sideError{sides[i].side, err}
				}
				return nil
			})
		}
		return g.Wait()
	}
	if err := each(func(ctx context.Context, i int) (err error) {
		tops[i], err = sides[i].readTop(ctx)
		return err
	}); err != nil {
		return nil, err
	}
	d := &Difference{
		A: sides[0].compared(), B: sides[1].compared(), Identical: bytes.Equal(tops[0], tops[1]),
		OnlyA: []string{}, OnlyB: []string{}, Platforms: []PlatformDifference{}, Notes: []string{},
	}
	if d.Identical {
		return d, nil
	}
	if err := each(func(ctx context.Context, i int) error {
		return sides[i].readBelow(ctx, tops[i], chosen, cap(remote.moving), func(int) {})
	}); err != nil {
		return nil, err
	}
	if err := d.compare(ctx, sides); err != nil {
		return nil, err
	}
	return d, nil
}

func (b *Base) compared() ComparedImage {
	return ComparedImage{Image: b.location.withDigest(b.desc.Digest.String()), Digest: b.desc.Digest, MediaType: b.desc.MediaType}
}

// compare compares platform by platform.
func (d *Difference) compare(ctx context.Context, sides [2]*Base) error {
	found := map[*baseImage]bool{} // of B
	d.Identical = true
	for _, a := range sides[0].images {
		b := sides[1].imageFor(a.platform)
		if b == nil {
			d.OnlyA = append(d.OnlyA, a.platform.String())
			continue
		}
		found[b] = true
		p, err := comparePlatform(ctx, d, sides, a, b)
		if err != nil {
			return err
		}
		d.Identical = d.Identical && p.Identical
		d.Platforms = append(d.Platforms, *p)
	}
	for _, b := range sides[1].images {
		if !found[b] {
			d.OnlyB = append(d.OnlyB, b.platform.String())
		}
	}
	d.Identical = d.Identical && len(d.OnlyA)+len(d.OnlyB) == 0
	return nil
}

// imageFor is the image for a platform, or nil.
func (b *Base) imageFor(p v1.Platform) *baseImage {
	for _, img := range b.images {
		if satisfies(img.platform, p) || satisfies(p, img.platform) {
			return img
		}
	}
	return nil
}

func comparePlatform(ctx context.Context, d *Difference, sides [2]*Base, a, b *baseImage) (*PlatformDifference, error) {
	p := newPlatformDifference(a.platform.String())
	if a.desc.Digest == b.desc.Digest {
		p.Identical = true
		return p, nil
	}
	c := comparison{difference: d, out: p}
	for i, one := range []*baseImage{a, b} {
		inspected, err := sides[i].inspect(ctx, one)
		if err != nil {
			return nil, &sideError{sides[i].side, fmt.Errorf("platform %s: %w", one.platform, err)}
		}
		c.sides[i] = comparedSide{Base: sides[i], img: one, what: inspected}
	}
	if err := c.compare(); err != nil {
		return nil, err
	}
	if err := c.schemas(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// note adds what could not be compared, once.
func (d *Difference) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, n := range d.Notes {
		if n == text {
			return
		}
	}
	d.Notes = append(d.Notes, text)
}
