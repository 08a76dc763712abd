// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/digestcache"
	"github.com/crane-bake/crane-bake/internal/layer"
	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// A Fleet bakes many plans in one run, from any number of goroutines. What they
// have in common happens once: a base is read, a large file is packed and sent.
// A plan whose image is at all its destinations already is left alone, so that a
// second run does only what is missing.
type Fleet struct {
	remote *Remote
	opts   Options

	mu     sync.Mutex
	bases  map[string]*fleetBase
	layers map[digestcache.Key]*fleetLayer
}

// NewFleet returns a fleet for one run: it does not notice that a base's tag
// moves while it bakes. A nil remote is anonymous.
func NewFleet(remote *Remote, opts Options) *Fleet {
	return &Fleet{
		remote: remote.orDefault(),
		opts:   opts,
		bases:  map[string]*fleetBase{},
		layers: map[digestcache.Key]*fleetLayer{},
	}
}

// fleetBase is a base that was opened, or is being.
type fleetBase struct {
	done chan struct{}
	base *Base
	err  error
}

// fleetLayer is a layer that one plan makes and others wait for.
type fleetLayer struct {
	done   chan struct{}
	result layer.Result
	ok     bool
}

// Close releases the bases that the fleet has read, after its last bake.
func (f *Fleet) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range f.bases {
		if b.base != nil {
			b.base.Close() // was opened for reading only
		}
	}
	f.bases = map[string]*fleetBase{}
	return nil
}

// Bake bakes one plan of the fleet, like Plan.Bake.
func (f *Fleet) Bake(ctx context.Context, plan *Plan, progress func(Event)) (*Report, error) {
	if err := plan.permitted(f.opts); err != nil {
		return nil, err
	}
	ctx, _ = registry.Counting(ctx) // those of this bake
	base, err := f.base(ctx, plan)
	if err != nil {
		return nil, err
	}
	img, err := Build(base, plan)
	if err == nil && !f.opts.NoCheck {
		err = img.Verdict(f.opts.Strict)
	}
	if err != nil {
		return nil, err
	}
	memory := plan.recall(f.opts.CacheDir, f.remote.logger)
	for {
		report, err := f.bakeOn(ctx, img, plan, progress)
		if memory.stale(err) {
			continue
		}
		if err == nil {
			memory.keep()
		}
		return report, err
	}
}

func (f *Fleet) bakeOn(ctx context.Context, img *Image, plan *Plan, progress func(Event)) (report *Report, err error) {
	done, err := f.share(ctx, plan)
	if err != nil {
		return nil, err
	}
	defer func() { done(err) }()
	opts := f.opts.publishing()
	opts.Progress = progress
	pub, err := newPublisher(f.remote, plan.spec.Tags, opts)
	if err != nil {
		return nil, err
	}
	defer pub.end(ctx)
	for _, l := range plan.layers {
		if sourceSize(l) <= resolveFirst || !l.made.Resolved() && pub.seemsUnchanged(ctx, l) {
			if err := l.Resolve(ctx); err != nil {
				return nil, err
			}
		}
	}
	if !slices.ContainsFunc(plan.layers, func(l *bakedLayer) bool { return !l.made.Resolved() }) {
		report, err := img.alreadyAt(ctx, f.remote, plan.spec.Tags)
		if err != nil {
			return nil, err
		}
		if report != nil {
			complete, err := pub.documentsAt(ctx, img, report)
			if complete || err != nil {
				return report, err
			}
		}
	}
	opened := func(ctx context.Context, pub *publisher) (*Image, error) {
		pub.reserve(ctx, len(img.base.images))
		return img, nil
	}
	report, _, err = pub.publish(ctx, plan.layers, opened)
	return report, err
}

// base opens the plan's base unless another plan of the fleet did.
func (f *Fleet) base(ctx context.Context, plan *Plan) (*Base, error) {
	key := plan.spec.Base
	for _, p := range plan.platforms {
		key += " " + p.String()
	}
	f.mu.Lock()
	b, shared := f.bases[key]
	if !shared {
		b = &fleetBase{done: make(chan struct{})}
		f.bases[key] = b
	}
	f.mu.Unlock()
	if shared {
		select {
		case <-b.done:
			return b.base, b.err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	defer close(b.done)
	b.base, b.err = openBase(ctx, "base", plan.spec.Base, f.remote, plan.platforms, func(int) {})
	return b.base, b.err
}

// share settles the large layers of plan that another one makes, after it has
// made them. The plan makes the others: done tells the plans that wait for it
// what came of that.
func (f *Fleet) share(ctx context.Context, plan *Plan) (done func(error), err error) {
	makes := map[*fleetLayer]*bakedLayer{}
	done = func(err error) {
		for shared, l := range makes {
			if err == nil {
				shared.result, shared.ok = l.made.Result()
			}
			close(shared.done)
		}
	}
	byKey := map[digestcache.Key]*bakedLayer{}
	for _, l := range plan.layers {
		if key, ok := plan.fingerprint(l); ok && sourceSize(l) > resolveFirst {
			byKey[key] = l
		}
	}
	// In an order that all plans keep: nobody waits in a circle.
	keys := make([]digestcache.Key, 0, len(byKey))
	for key := range byKey {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b digestcache.Key) int { return strings.Compare(string(a[:]), string(b[:])) })
	for _, key := range keys {
		f.mu.Lock()
		shared, known := f.layers[key]
		if !known {
			shared = &fleetLayer{done: make(chan struct{})}
			f.layers[key] = shared
		}
		f.mu.Unlock()
		if !known {
			makes[shared] = byKey[key]
			continue
		}
		select {
		case <-shared.done:
			if shared.ok {
				byKey[key].made.Recall(shared.result)
			}
		case <-ctx.Done():
			done(context.Cause(ctx))
			return nil, context.Cause(ctx)
		}
	}
	return done, nil
}

// alreadyAt reports on the image if every one of tags names it already, and is
// nil otherwise, or where that cannot be told.
func (i *Image) alreadyAt(ctx context.Context, remote *Remote, tags []string) (*Report, error) {
	a, err := i.assemble(ctx)
	if err != nil {
		return nil, err
	}
	r := describeImage(i, a)
	_, requests := registry.Counting(ctx)
	for _, tag := range tags {
		loc, err := parseDestination(tag, remote.insecure)
		if err != nil {
			return nil, err
		}
		if err := loc.fits(i); err != nil {
			return nil, err
		}
		if !loc.names(ctx, remote, a) {
			return nil, nil
		}
		r.publishedAt(loc)
	}
	if len(r.Published) == 0 {
		return nil, nil
	}
	r.Image, r.AlreadyThere = r.Published[0], true
	r.Transfer.Requests = requests.Load()
	return r, nil
}

// names reports whether l is known to name the image a.
func (l Location) names(ctx context.Context, remote *Remote, a *assembled) bool {
	if l.registry() {
		digest, err := remote.client.Repository(l.ref.Context()).Head(ctx, l.ref.Identifier())
		return err == nil && digest == a.desc.Digest
	}
	if l.transport != transportOCI || l.tag == "" {
		return false // an archive is always written anew
	}
	fsys, closer, err := layout.OpenDir(l.path)
	if err != nil {
		return false
	}
	defer closer.Close() // was opened for reading only
	desc, err := layout.Find(fsys, l.tag)
	return err == nil && desc.Digest == a.desc.Digest && l.holdsAll(ctx, remote.checks, a)
}

// holdsAll reports whether the image layout l has every blob of a, undamaged.
func (l Location) holdsAll(ctx context.Context, checks *layout.Checks, a *assembled) bool {
	parts := []v1.Descriptor{a.desc}
	for _, img := range a.images {
		parts = append(parts, img.desc, img.manifest.Config)
		parts = append(parts, img.manifest.Layers...)
	}
	return !slices.ContainsFunc(parts, func(desc v1.Descriptor) bool {
		return desc.MediaType.IsDistributable() && !l.holds(ctx, checks, desc)
	})
}
