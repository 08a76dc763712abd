// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// publisher writes one image to several targets.
type publisher struct {
	remote   *Remote
	targets  []target
	progress func(Event)
	moving   chan struct{} // one token for each blob whose bytes move
	asking   chan struct{} // one token for each blob that is mounted or looked for
	lining   chan struct{} // one token for the blob that goes to archives
	archives chan struct{} // one token for the blob that goes to archives; see send
	before   int64         // requests of the remote before this publish

	mu       sync.Mutex
	transfer Transfer
	done     bool
}

// maxAsking bounds the requests that move no blob.
const maxAsking = 32

// blob is a blob on its way to every target.
type blob struct {
	name    string // for people: "layer model"
	desc    v1.Descriptor
	known   bool // whether desc's digest and size are
	base    bool // of the base image, rather than of the bake
	content registry.Content
	from    *registry.Repository // where it can be mounted from, or nil
}

func newPublisher(remote *Remote, tags []string, progress func(Event)) (*publisher, error) {
	if len(tags) == 0 {
		return nil, usagef("no destination: name at least one with a tag")
	}
	if progress == nil {
		progress = func(Event) {}
	}
	p := &publisher{
		remote:   remote,
		progress: progress,
		moving:   make(chan struct{}, remote.jobs),
		asking:   make(chan struct{}, maxAsking),
		lining:   make(chan struct{}, 1),
		archives: make(chan struct{}, 1),
		before:   remote.client.Requests(),
	}
	var err error
	p.targets, err = newTargets(remote, tags)
	return p, err
}

// abort leaves file targets as they were, unless everything was published.
func (p *publisher) abort() {
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
		if r, ok := t.(*repositoryTarget); ok {
			for range images {
				r.repo.Reserve(ctx)
			}
		}
	}
}

// fits refuses an image that a target cannot hold, before anything shows.
func (p *publisher) fits(img *Image) error {
	for _, t := range p.targets {
		f, ok := t.(*fileTarget)
		if ok && f.first.transport == transportDockerArchive && len(img.base.images) > 1 {
			return usagef("destination %s holds one platform, the bake has %d: choose one with --platform", t, len(img.base.images))
		}
	}
	return nil
}

// layers puts the bake's own layers, which need no base.
func (p *publisher) layers(ctx context.Context, layers []*bakedLayer) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, l := range layers {
		g.Go(func() error {
			b, err := p.layerBlob(ctx, l)
			if err != nil {
				return fmt.Errorf("layer %s: %w", l.class, err)
			}
			return p.put(ctx, b)
		})
	}
	return g.Wait()
}

// resolveFirst is the size of source files up to which a layer is hashed before
// it is sent: its one PUT then needs no second request for the digest, and
// packing so little twice costs nothing.
const resolveFirst = 1 << 20

func (p *publisher) layerBlob(ctx context.Context, l *bakedLayer) (*blob, error) {
	var size int64
	for _, it := range l.items {
		size += it.Size
	}
	if size <= resolveFirst {
		if err := l.Resolve(ctx); err != nil {
			return nil, err
		}
	}
	b := &blob{name: "layer " + l.class}
	describe := func() (v1.Descriptor, bool) {
		if !l.Resolved() {
			return v1.Descriptor{}, false
		}
		d, err := l.descriptor(true)
		return d, err == nil
	}
	b.desc, b.known = describe()
	b.content = registry.Content{Open: l.Open, Descriptor: describe}
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
			b := &blob{
				name: fmt.Sprintf("base layer %d/%d", n+1, len(img.manifest.Layers)),
				desc: desc, known: true, base: true,
				from: base.source.repository(),
				content: registry.Content{
					Open: func(ctx context.Context) (io.ReadCloser, error) {
						side := "base " + base.location.String()
						rc, err := base.source.blob(ctx, desc)
						if err != nil {
							return nil, &sideError{side, err}
						}
						return &sidedReader{rc, side}, nil
					},
					Descriptor: func() (v1.Descriptor, bool) { return desc, true },
				},
			}
			g.Go(func() error { return p.put(ctx, b) })
		}
	}
	return g.Wait()
}

// sidedReader says on which side an error of reading arose.
type sidedReader struct {
	io.ReadCloser
	side string
}

func (r *sidedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &sideError{r.side, err}
	}
	return n, err
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
		for _, t := range p.targets {
			for _, img := range a.images {
				g.Go(func() error { return t.child(gctx, img.desc, img.raw) })
			}
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	var published []string
	for _, t := range p.targets {
		names, err := t.publish(ctx, a)
		published = append(published, names...)
		if err != nil {
			if len(published) > 0 {
				return fmt.Errorf("%w (published before that: %v)", err, published)
			}
			return err
		}
	}
	p.done = true
	return nil
}

// put makes every target hold the blob. The targets that lack it and cannot
// mount it get it in one pass; further repositories of a registry mount it from
// the first.
func (p *publisher) put(ctx context.Context, b *blob) error {
	var lack []target
	for _, t := range p.targets {
		if t.lead() != nil {
			continue
		}
		how, err := p.ask(ctx, t, b)
		switch {
		case err != nil:
			return err
		case how == "":
			lack = append(lack, t)
		default:
			p.settled(t, b, how)
		}
	}
	if err := p.send(ctx, lack, b); err != nil {
		return err
	}
	for _, t := range p.targets {
		lead := t.lead()
		if lead == nil {
			continue
		}
		follower := *b
		follower.from = lead.repo
		how, err := p.ask(ctx, t, &follower)
		if err != nil {
			return err
		}
		if how != "" {
			p.settled(t, &follower, how)
		} else if err := p.send(ctx, []target{t}, &follower); err != nil {
			return err
		}
	}
	return nil
}

// ask finds out whether t gets the blob without its bytes; "" is no.
func (p *publisher) ask(ctx context.Context, t target, b *blob) (Means, error) {
	if err := acquire(ctx, p.asking); err != nil {
		return "", err
	}
	defer release(p.asking)
	return t.has(ctx, b)
}

// acquire takes one of the tokens that tokens has room for.
func acquire(ctx context.Context, tokens chan struct{}) error {
	select {
	case tokens <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func release(tokens chan struct{}) { <-tokens }

// send moves the blob's bytes to the targets, read once for all of them.
func (p *publisher) send(ctx context.Context, targets []target, b *blob) error {
	if len(targets) == 0 {
		return nil
	}
	// An archive takes one blob at a time, and a blob goes to all targets at
	// the pace of the slowest: two blobs that each hold one of two archives
	// would wait for each other for ever.
	if slices.ContainsFunc(targets, target.oneAtATime) {
		if err := acquire(ctx, p.archives); err != nil {
			return err
		}
		defer release(p.archives)
	}
	if err := acquire(ctx, p.moving); err != nil {
		return err
	}
	defer release(p.moving)
	means := Uploaded
	if b.base {
		means = Copied
	}
	errs := fanOut(ctx, b.content, len(targets), func(i int, content registry.Content) error {
		t := targets[i]
		p.progress(Event{Blob: b.name, Target: t.String(), Total: b.desc.Size})
		return t.upload(ctx, p.watched(t, b, content))
	})
	if err := errors.Join(errs...); err != nil {
		return err
	}
	b.desc, b.known = b.content.Descriptor()
	for _, t := range targets {
		p.settled(t, b, means)
	}
	return nil
}

// settled counts a blob that t has got.
func (p *publisher) settled(t target, b *blob, how Means) {
	p.mu.Lock()
	p.transfer.add(how, b.desc.Size)
	p.mu.Unlock()
	p.progress(Event{Blob: b.name, Target: t.String(), Digest: b.desc.Digest, Total: b.desc.Size, Done: how})
}

// watched is content whose reading is reported.
func (p *publisher) watched(t target, b *blob, content registry.Content) registry.Content {
	open := content.Open
	content.Open = func(ctx context.Context) (io.ReadCloser, error) {
		rc, err := open(ctx)
		if err != nil {
			return nil, err
		}
		return &watchedReader{ReadCloser: rc, report: func(n int64) {
			p.progress(Event{Blob: b.name, Target: t.String(), Total: b.desc.Size, Moved: n})
		}}, nil
	}
	return content
}

type watchedReader struct {
	io.ReadCloser
	moved  int64
	report func(moved int64)
}

func (r *watchedReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.moved += int64(n)
	r.report(r.moved)
	return n, err
}
