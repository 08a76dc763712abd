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
			r.held[digest] = r.held[digest] || digest == m.desc.Digest
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
	if r.atHome() {
		for _, m := range r.all {
			r.held[m.desc.Digest] = true
		}
		return nil
	}
	return r.look(ctx)
}

// atHome reports whether the freight is read from the repository itself.
func (r *repositoryReceiver) atHome() bool {
	from := r.source.repository()
	return from != nil && from.Name().Name() == r.target.repo.Name().Name()
}

// look asks for every manifest. That an index is there does not show that what
// it lists is: garbage collectors and people delete manifests singly.
func (r *repositoryReceiver) look(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAsking)
	for _, m := range r.all {
		if r.holds(m) {
			continue
		}
		g.Go(func() error {
			digest, err := r.head(ctx, m.desc.Digest.String(), false)
			if err == nil && digest == m.desc.Digest {
				r.hold(m)
			}
			return err
		})
	}
	return g.Wait()
}

// keeps asks for the blob of a manifest that is there. Registries take a
// manifest only with its blobs, but they may lose one later.
func (r *repositoryReceiver) keeps(ctx context.Context, b *freightBlob) (bool, error) {
	if !slices.ContainsFunc(b.of, r.holds) {
		return false, nil
	}
	if r.atHome() || r.target.ledger.holds(r.target.repo.Name(), b.desc.Digest) {
		return true, nil
	}
	if err := acquire(ctx, r.target.asking); err != nil {
		return false, err
	}
	defer release(r.target.asking)
	return r.target.repo.HasBlob(ctx, b.desc.Digest)
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

// hold notes that the repository has m.
func (r *repositoryReceiver) hold(m *manifest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held[m.desc.Digest] = true
}

func (r *repositoryReceiver) holds(m *manifest) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.held[m.desc.Digest]
}
