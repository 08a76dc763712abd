// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// receiver is a target on the receiving end of a promotion. Its methods are
// called in their order; between survey and store the blobs arrive.
type receiver interface {
	// survey finds out what the target holds and whether its tags may be
	// written. Nothing is sent.
	survey(ctx context.Context, noClobber bool) error
	// keeps reports whether the target has the blob already, where a manifest
	// of it lets that be expected. Where it does not, the target is asked when
	// the blob's turn comes.
	keeps(ctx context.Context, b *freightBlob) (bool, error)
	// store makes the target hold every manifest, and list every referrer.
	store(ctx context.Context) error
	// expose lets the tags name the image, and returns those that do.
	expose(ctx context.Context) ([]string, error)
}

func (f *freight) receiver(t target) receiver {
	if t, ok := t.(*repositoryTarget); ok {
		return &repositoryReceiver{freight: f, target: t, held: map[v1.Hash]bool{}, tagged: map[string]v1.Hash{}}
	}
	return &fileReceiver{freight: f, target: t.(*fileTarget)}
}

// repositoryReceiver is a repository of a registry.
type repositoryReceiver struct {
	*freight
	target *repositoryTarget

	mu     sync.Mutex
	held   map[v1.Hash]bool
	tagged map[string]v1.Hash // the tags that matter and exist
}

func (r *repositoryReceiver) store(ctx context.Context) error {
	if err := r.storeChildren(ctx); err != nil {
		return err
	}
	// Where nothing refers to the image, its first tag brings it.
	if (len(r.lists) > 0 || len(r.tags) > 0) && !r.holds(r.top) {
		if err := r.put(ctx, r.top); err != nil {
			return err
		}
	}
	if subject := r.top.body.Subject; subject != nil {
		if err := r.attach(ctx, subject.Digest, r.top); err != nil {
			return err
		}
	}
	// In the order in which they were found: no referrer before its subject.
	for _, l := range r.lists {
		if err := r.attach(ctx, l.subject.desc.Digest, l.referrers...); err != nil {
			return err
		}
	}
	for _, t := range r.tags {
		if r.tagged[t.tag] == t.desc.Digest {
			continue
		}
		if err := r.target.repo.PutManifest(ctx, t.tag, t.desc.MediaType, t.raw); err != nil {
			return err
		}
	}
	return nil
}

// storeChildren puts the manifests that indexes list, the innermost first.
func (r *repositoryReceiver) storeChildren(ctx context.Context) error {
	byHeight := map[int][]*manifest{}
	known := heights{}
	for _, m := range r.all {
		for _, c := range m.children {
			h := known.of(c)
			byHeight[h] = append(byHeight[h], c)
		}
	}
	for _, h := range slices.Sorted(maps.Keys(byHeight)) {
		g, gctx := errgroup.WithContext(ctx)
		g.SetLimit(maxAsking)
		for _, m := range distinct(byHeight[h]) {
			if !r.holds(m) {
				g.Go(func() error { return r.put(gctx, m) })
			}
		}
		if err := g.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// heights is how many levels of manifests are below one. Each is looked at once:
// indexes that list one another several times make more ways than anybody has
// time to go.
type heights map[*manifest]int

func (known heights) of(m *manifest) int {
	h, ok := known[m]
	if !ok {
		for _, c := range m.children {
			h = max(h, 1+known.of(c))
		}
		known[m] = h
	}
	return h
}

// distinct is each of the manifests once.
func distinct(manifests []*manifest) []*manifest {
	slices.SortFunc(manifests, func(a, b *manifest) int { return strings.Compare(a.desc.Digest.Hex, b.desc.Digest.Hex) })
	return slices.Compact(manifests)
}

// put stores a manifest by its digest.
func (r *repositoryReceiver) put(ctx context.Context, m *manifest) error {
	if err := r.target.repo.PutManifest(ctx, m.desc.Digest.String(), m.desc.MediaType, m.raw); err != nil {
		return err
	}
	r.hold(m)
	return nil
}

// attach stores the referrers of a subject where they can be found.
func (r *repositoryReceiver) attach(ctx context.Context, subject v1.Hash, referrers ...*manifest) error {
	all := make([]registry.Referrer, len(referrers))
	for i, m := range referrers {
		all[i] = registry.Referrer{Descriptor: m.listed(), Raw: m.raw, Stored: r.holds(m)}
	}
	return r.target.repo.Attach(ctx, subject, all)
}

func (r *repositoryReceiver) expose(ctx context.Context) ([]string, error) {
	var exposed []string
	for _, loc := range r.target.tags {
		tag := loc.ref.Identifier()
		// A registry with immutable tags refuses even what changes nothing.
		if r.tagged[tag] != r.top.desc.Digest {
			if err := r.target.repo.PutManifest(ctx, tag, r.top.desc.MediaType, r.top.raw); err != nil {
				return exposed, err
			}
		}
		exposed = append(exposed, loc.String())
	}
	return exposed, nil
}
