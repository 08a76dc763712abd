// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// Bounds on what a source may claim to belong to an image: real ones stay far
// below, and a hostile registry could go on for ever.
const (
	maxManifests     = 10_000
	maxManifestBytes = 256 << 20 // all of them, which are kept until the end
	maxDepth         = 32        // of indexes in indexes and of referrers of referrers
)

// collector finds what belongs to an image.
type collector struct {
	*freight
	source   attachmentSource
	remote   *Remote
	attached bool // whether to look for what refers to a manifest
	known    map[v1.Hash]*manifest

	count, bytes atomic.Int64 // of the manifests that were admitted
}

// parts is what belongs to one manifest.
type parts struct {
	children  []*manifest
	referrers []*manifest
	tags      []attachedTag
}

// collect reads every manifest that belongs to the image at from. Blobs stay
// where they are.
func collect(ctx context.Context, from Location, remote *Remote, opts PromoteOptions) (*freight, error) {
	source, err := openAttachmentSource(ctx, from, remote)
	if err != nil {
		return nil, err
	}
	f := &freight{source: source, side: "source " + from.String()}
	c := &collector{freight: f, source: source, remote: remote, attached: !opts.NoReferrers, known: map[v1.Hash]*manifest{}}
	if err := c.collect(ctx, from, opts.Platform); err != nil {
		return nil, errors.Join(err, source.Close())
	}
	return f, nil
}

func (c *collector) collect(ctx context.Context, from Location, platform string) error {
	ref := from.tag
	if from.registry() {
		ref = from.ref.Identifier()
	}
	var err error
	if c.top, err = c.read(ctx, ref); err != nil {
		return err
	}
	if platform != "" {
		if c.top, err = c.choose(ctx, platform); err != nil {
			return err
		}
	}
	c.known[c.top.desc.Digest] = c.top
	c.all = []*manifest{c.top}
	// By rounds: what one round finds, the next one looks into.
	for depth, done := 0, 0; done < len(c.all); depth++ {
		round := c.all[done:]
		done = len(c.all)
		if depth > maxDepth {
			return fmt.Errorf("manifests nested %d deep: more than can belong to one image", depth)
		}
		results := make([]parts, len(round))
		g, gctx := errgroup.WithContext(ctx)
		for i, m := range round {
			g.Go(func() (err error) {
				results[i], err = c.lookInto(gctx, m)
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, m := range round {
			c.take(m, results[i])
		}
	}
	return nil
}

// take adds what belongs to m to the freight.
func (c *collector) take(m *manifest, got parts) {
	one := func(n *manifest, attached bool) *manifest {
		if known, ok := c.known[n.desc.Digest]; ok {
			return known
		}
		n.attached = attached
		c.known[n.desc.Digest] = n
		c.all = append(c.all, n)
		return n
	}
	for _, n := range got.children {
		m.children = append(m.children, one(n, m.attached))
	}
	if len(got.referrers) > 0 {
		l := referrerList{subject: m}
		for _, n := range got.referrers {
			l.referrers = append(l.referrers, one(n, true))
		}
		c.lists = append(c.lists, l)
	}
	for _, t := range got.tags {
		c.tags = append(c.tags, attachedTag{t.tag, one(t.manifest, true)})
	}
}

// lookInto reads the manifests that m lists, and those that refer to m.
func (c *collector) lookInto(ctx context.Context, m *manifest) (parts, error) {
	var got parts
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		got.children, err = c.readAll(ctx, m.body.Manifests, func(d v1.Descriptor) string {
			return fmt.Sprintf("manifest %s of index %s", d.Digest, m.desc.Digest)
		})
		return err
	})
	if c.attached {
		g.Go(func() (err error) {
			got.referrers, err = c.referrersOf(ctx, m)
			return err
		})
		got.tags = make([]attachedTag, len(cosignSuffixes))
		for i, suffix := range cosignSuffixes {
			g.Go(func() error {
				tag := cosignTag(m.desc.Digest, suffix)
				n, err := c.read(ctx, tag)
				if isNotFound(err) {
					return nil
				}
				if err != nil {
					return err
				}
				got.tags[i] = attachedTag{tag, n}
				return c.admit(n.desc)
			})
		}
	}
	err := g.Wait()
	got.tags = slices.DeleteFunc(got.tags, func(t attachedTag) bool { return t.manifest == nil })
	return got, err
}

// referrersOf reads the manifests whose subject is m.
func (c *collector) referrersOf(ctx context.Context, m *manifest) ([]*manifest, error) {
	if err := acquire(ctx, c.remote.asking); err != nil {
		return nil, err
	}
	listed, err := c.source.referrers(ctx, m.desc.Digest)
	release(c.remote.asking)
	if err != nil {
		return nil, err
	}
	for _, d := range listed {
		for at := m; at != nil; at = at.of {
			if at.desc.Digest == d.Digest {
				return nil, integrityf("the referrers of %s lead back to it", d.Digest)
			}
		}
	}
	referrers, err := c.readAll(ctx, listed, func(d v1.Descriptor) string {
		return fmt.Sprintf("referrer %s of %s", d.Digest, m.desc.Digest)
	})
	if err != nil {
		return nil, err
	}
	for _, r := range referrers {
		r.of = m
		switch {
		case r.body.Subject == nil:
			return nil, integrityf("%s is listed as a referrer of %s, but has no subject", r.desc.Digest, m.desc.Digest)
		case r.body.Subject.Digest != m.desc.Digest:
			return nil, integrityf("%s is listed as a referrer of %s, but its subject is %s", r.desc.Digest, m.desc.Digest, r.body.Subject.Digest)
		}
	}
	return referrers, nil
}

// readAll reads the manifests that something lists. What one is called is for
// the error that it is missing.
func (c *collector) readAll(ctx context.Context, listed []v1.Descriptor, called func(v1.Descriptor) string) ([]*manifest, error) {
	if err := c.admit(listed...); err != nil {
		return nil, err
	}
	all := make([]*manifest, len(listed))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAsking)
	for i, d := range listed {
		g.Go(func() error {
			m, err := c.read(ctx, d.Digest.String())
			if err != nil {
				return notThere(err, "%s", called(d))
			}
			if m.desc.Size != d.Size {
				return integrityf("%s has %d bytes, not %d", called(d), m.desc.Size, d.Size)
			}
			all[i] = m
			return nil
		})
	}
	err := g.Wait()
	return all, err
}

// admit counts manifests that are listed, before they are read.
func (c *collector) admit(listed ...v1.Descriptor) error {
	count, size := c.count.Add(int64(len(listed))), int64(0)
	for _, d := range listed {
		if d.Size < 0 || d.Size > registry.MaxManifest {
			return fmt.Errorf("manifest %s: %d bytes, which no manifest has", d.Digest, d.Size)
		}
		size = c.bytes.Add(d.Size)
	}
	if count > maxManifests || size > maxManifestBytes {
		return fmt.Errorf("%d manifests of %d bytes in all: more than can belong to one image", count, c.bytes.Load())
	}
	return nil
}

// read reads the manifest that a tag or a digest names.
func (c *collector) read(ctx context.Context, ref string) (*manifest, error) {
	if err := acquire(ctx, c.remote.asking); err != nil {
		return nil, err
	}
	defer release(c.remote.asking)
	desc, raw, err := c.source.manifest(ctx, ref)
	if err != nil {
		return nil, err
	}
	// Its place in another list is not the manifest's own.
	desc = v1.Descriptor{MediaType: desc.MediaType, Size: desc.Size, Digest: desc.Digest}
	return parseManifest(desc, raw)
}
