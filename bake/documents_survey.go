// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/provenance"
)

// survey finds out what of the documents each target lists already: that needs
// nothing more.
func (p *publisher) survey(ctx context.Context, a *assembled) error {
	p.listed = make([]map[v1.Hash][]v1.Descriptor, len(p.targets))
	g, gctx := errgroup.WithContext(ctx)
	for i, t := range p.targets {
		p.listed[i] = map[v1.Hash][]v1.Descriptor{}
		for _, l := range a.referrerLists() {
			g.Go(func() error {
				if err := acquire(gctx, p.remote.asking); err != nil {
					return err
				}
				defer release(p.remote.asking)
				there, err := referrersAt(gctx, t, l.subject.desc.Digest)
				if err != nil {
					return destinationError(t, err)
				}
				p.mu.Lock()
				defer p.mu.Unlock()
				p.listed[i][l.subject.desc.Digest] = there
				return nil
			})
		}
	}
	return g.Wait()
}

// referrersAt is what t lists as referrers of subject now.
func referrersAt(ctx context.Context, t target, subject v1.Hash) ([]v1.Descriptor, error) {
	if repo := t.repository(); repo != nil {
		return repo.Listed(ctx, subject)
	}
	loc := t.locations()[0]
	if loc.transport != transportOCI {
		return nil, nil // an archive is written anew
	}
	_, fsys, done, err := loc.entries()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	listed, err := (&layoutAttachments{layoutSource: layoutSource{fsys: fsys}}).referrers(ctx, subject)
	return listed, errors.Join(err, done())
}

// lists is what target i lists as d: d itself or, of an image that it had
// before, what the same builder has said of a bake from the same repository.
// That nothing was built again is not worth a statement.
func (p *publisher) lists(i int, d *document) (v1.Descriptor, bool) {
	listed := p.listed[i][d.subject.Digest]
	if slices.ContainsFunc(listed, func(l v1.Descriptor) bool { return l.Digest == d.desc.Digest }) {
		return d.listed(), true
	}
	if !p.found || d.artifactType() != provenance.MediaType {
		return v1.Descriptor{}, false
	}
	n := slices.IndexFunc(listed, func(l v1.Descriptor) bool {
		return l.ArtifactType == provenance.MediaType && l.Annotations[builderAnnotation] == d.body.Annotations[builderAnnotation] &&
			l.Annotations[sourceAnnotation] == d.body.Annotations[sourceAnnotation]
	})
	if n < 0 {
		return v1.Descriptor{}, false
	}
	return listed[n], true
}

// lacks reports whether target i lists nothing as d.
func (p *publisher) lacks(i int, d *document) bool {
	_, ok := p.lists(i, d)
	return !ok
}

// complete reports whether every target lists every document.
func (p *publisher) complete(a *assembled, of func(target) bool) bool {
	for i, t := range p.targets {
		if of(t) && slices.ContainsFunc(a.documents, func(d *document) bool { return p.lacks(i, d) }) {
			return false
		}
	}
	return true
}
