// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"
)

// conflict is the error of a tag that may not move.
func conflict(tag string, holds, want v1.Hash) error {
	return fmt.Errorf("%w: the tag %q exists and is %s, not %s", ErrConflict, tag, holds, want)
}

// wanted is the manifest that each tag is to name.
func (r *repositoryReceiver) wanted() map[string]*manifest {
	tags := map[string]*manifest{}
	for _, t := range r.tags {
		tags[t.tag] = t.manifest
	}
	for _, loc := range r.target.tags {
		tags[loc.ref.Identifier()] = r.top
	}
	return tags
}

func (r *repositoryReceiver) survey(ctx context.Context, noClobber bool) error {
	wanted := r.wanted()
	g, gctx := errgroup.WithContext(ctx)
	for tag, m := range wanted {
		g.Go(func() error {
			digest, err := r.head(gctx, tag, noClobber)
			if err != nil || digest == (v1.Hash{}) {
				return err
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.tagged[tag] = digest
			if digest == m.desc.Digest {
				r.hold(m)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if noClobber {
		for _, tag := range slices.Sorted(maps.Keys(wanted)) {
			if holds, ok := r.tagged[tag]; ok && holds != wanted[tag].desc.Digest {
				return conflict(tag, holds, wanted[tag].desc.Digest)
			}
		}
	}
	if from := r.source.repository(); from != nil && from.Name().Name() == r.target.repo.Name().Name() {
		for _, m := range r.all {
			r.hold(m)
		}
		return nil
	}
	roots := []*manifest{r.top}
	for _, l := range r.lists {
		roots = append(roots, l.referrers...)
	}
	for _, t := range r.tags {
		roots = append(roots, t.manifest)
	}
	return r.look(ctx, roots)
}

// look asks for manifests, and for the children of those that are not there.
func (r *repositoryReceiver) look(ctx context.Context, manifests []*manifest) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, m := range manifests {
		if r.holds(m) {
			continue
		}
		g.Go(func() error {
			digest, err := r.head(ctx, m.desc.Digest.String(), false)
			switch {
			case err != nil:
				return err
			case digest != m.desc.Digest:
				return r.look(ctx, m.children)
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.hold(m)
			return nil
		})
	}
	return g.Wait()
}

// head is the digest that ref has in the repository; zero where there is none,
// or where only writing is allowed and it does not matter.
func (r *repositoryReceiver) head(ctx context.Context, ref string, matters bool) (v1.Hash, error) {
	if err := acquire(ctx, r.target.asking); err != nil {
		return v1.Hash{}, err
	}
	defer release(r.target.asking)
	digest, err := r.target.repo.Head(ctx, ref)
	if errors.Is(err, ErrNotFound) || !matters && errors.Is(err, ErrDenied) {
		return v1.Hash{}, nil
	}
	return digest, err
}

// hold notes that the repository has m, and so everything in it: it would not
// have taken m otherwise.
func (r *repositoryReceiver) hold(m *manifest) {
	r.held[m.desc.Digest] = true
	for _, c := range m.children {
		r.hold(c)
	}
}

func (r *repositoryReceiver) holds(m *manifest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[m.desc.Digest]
}
