// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// publisher writes one image to several targets.
type publisher struct {
	remote    *Remote
	targets   []target
	progress  func(Event)
	documents documentOptions
	archives  chan struct{} // one token for the blob that goes to archives; see send
	requests  *atomic.Int64 // of this publish

	look   sync.Once        // for standing
	stands map[string]int64 // what standing returns

	mu       sync.Mutex
	transfer Transfer
	listed   []map[v1.Hash][]v1.Descriptor // what each target lists of each subject, after survey
	found    bool                          // whether every target had the image before
	done     bool
}

func newPublisher(remote *Remote, tags []string, opts PublishOptions) (*publisher, error) {
	if len(tags) == 0 {
		return nil, usagef("no destination: name at least one with a tag")
	}
	if opts.Progress == nil {
		opts.Progress = func(Event) {}
	}
	p := &publisher{
		remote:    remote,
		progress:  opts.Progress,
		documents: documentOptions{opts.SBOM, opts.Provenance},
		archives:  make(chan struct{}, 1),
	}
	if err := p.documents.check(remote, tags); err != nil {
		return nil, err
	}
	var err error
	p.targets, err = newTargets(remote, tags)
	return p, err
}

// end gives back what the registries keep for p and leaves file targets as they
// were, unless everything was published.
func (p *publisher) end(ctx context.Context) {
	var all sync.WaitGroup
	for _, t := range p.targets {
		if r, ok := t.(*repositoryTarget); ok {
			all.Go(func() { r.repo.Release(ctx) })
		}
	}
	all.Wait()
	if p.done {
		return
	}
	for _, t := range p.targets {
		t.abort()
	}
}

// reserve opens upload sessions for the configs, which are made last.
func (p *publisher) reserve(ctx context.Context, images int) {
	for _, t := range p.targets {
		if r, ok := t.(*repositoryTarget); ok && r.first == nil {
			for range min(images, cap(p.remote.moving)) {
				r.repo.Reserve(ctx)
			}
		}
	}
}

// layers puts the bake's own layers, which need no base. It closes described
// once the digests of all are known, which of small ones is before they are
// sent.
func (p *publisher) layers(ctx context.Context, layers []*bakedLayer, described chan<- struct{}) error {
	var unknown atomic.Int64
	unknown.Store(int64(len(layers)))
	if len(layers) == 0 {
		close(described)
	}
	know := func() {
		if unknown.Add(-1) == 0 {
			close(described)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range layers {
		g.Go(func() error {
			b, err := p.layerBlob(ctx, l)
			if err != nil {
				return err
			}
			known := b.known
			if known {
				know()
			}
			if err := p.put(ctx, b); err != nil {
				return err
			}
			if !known {
				know()
			}
			return nil
		})
	}
	return g.Wait()
}

// resolveFirst is the size of source files up to which a layer is hashed before
// it is sent: its one PUT then needs no second request for the digest, and
// packing so little twice costs nothing.
const resolveFirst = 1 << 20

func (p *publisher) layerBlob(ctx context.Context, l *bakedLayer) (*blob, error) {
	name := "layer " + l.class
	if l.found != nil {
		return l.found.from.blob(name, l.found.desc), nil
	}
	if sourceSize(l) <= resolveFirst || !l.made.Resolved() && p.seemsUnchanged(ctx, l) {
		if err := l.Resolve(ctx); err != nil {
			return nil, err
		}
	}
	b := &blob{name: name}
	describe := func() (v1.Descriptor, bool) {
		if !l.made.Resolved() {
			return v1.Descriptor{}, false
		}
		d, err := l.descriptor(true)
		return d, err == nil
	}
	b.desc, b.known = describe()
	b.content = registry.Content{Open: l.open, Descriptor: describe}
	return b, nil
}

// base puts the base's layers, each once however many platforms share it.
func (p *publisher) base(ctx context.Context, base *Base) error {
	g, ctx := errgroup.WithContext(ctx)
	seen := map[v1.Hash]bool{}
	for _, img := range base.images {
		for n, desc := range img.manifest.Layers {
			// Layers that may not be distributed stay where their URLs point.
			if seen[desc.Digest] || !desc.MediaType.IsDistributable() {
				continue
			}
			seen[desc.Digest] = true
			b := base.blob(fmt.Sprintf("base layer %d/%d", n+1, len(img.manifest.Layers)), desc)
			g.Go(func() error { return p.put(ctx, b) })
		}
	}
	return g.Wait()
}

// blob is a blob of b on its way to somewhere else.
func (b *Base) blob(name string, desc v1.Descriptor) *blob {
	return &blob{
		name: name,
		desc: desc, known: true, base: true,
		from: b.source.repository(), origin: originOf(b.source),
		content: registry.Content{
			Open: func(ctx context.Context) (io.ReadCloser, error) {
				rc, err := b.source.blob(ctx, desc)
				if err != nil {
					return nil, &sideError{b.side, err}
				}
				return &sidedReader{rc, b.side}, nil
			},
			Descriptor: func() (v1.Descriptor, bool) { return desc, true },
		},
	}
}

// configs puts the image configs.
func (p *publisher) configs(ctx context.Context, a *assembled) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, img := range a.images {
		g.Go(func() error {
			content := registry.Bytes(img.config)
			desc, _ := content.Descriptor()
			return p.put(ctx, &blob{name: "config " + img.base.platform.String(), desc: desc, known: true, content: content})
		})
	}
	return g.Wait()
}

// manifests puts the manifests of single images, then the tags of all targets.
func (p *publisher) manifests(ctx context.Context, a *assembled) error {
	if a.index {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(cap(p.remote.moving))
		for _, t := range p.targets {
			for _, img := range a.images {
				g.Go(func() error { return t.child(gctx, img.desc, img.raw) })
			}
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	if err := p.attach(ctx, a); err != nil {
		return err
	}
	var published []string
	for _, t := range p.targets {
		names, err := t.publish(ctx, a)
		published = append(published, names...)
		if err != nil {
			return partly(published, err)
		}
	}
	p.done = true
	return nil
}
