// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// with is the image with the documents that belong to it.
func (p *publisher) with(img *Image, a *assembled) (*assembled, error) {
	made := *a
	var err error
	made.documents, err = p.documents.of(img, a, p.targets)
	return &made, err
}

// survey finds out what of the documents each target lists already: that needs
// nothing more.
func (p *publisher) survey(ctx context.Context, a *assembled) error {
	p.listed = make([]map[v1.Hash]bool, len(p.targets))
	g, gctx := errgroup.WithContext(ctx)
	for i, t := range p.targets {
		p.listed[i] = map[v1.Hash]bool{}
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
				for _, d := range there {
					p.listed[i][d.Digest] = true
				}
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

// complete reports whether every target lists every document.
func (p *publisher) complete(a *assembled, of func(target) bool) bool {
	for i, t := range p.targets {
		if of(t) && slices.ContainsFunc(a.documents, func(d *document) bool { return !p.listed[i][d.desc.Digest] }) {
			return false
		}
	}
	return true
}

// documentBlobs puts what the documents hold.
func (p *publisher) documentBlobs(ctx context.Context, a *assembled) error {
	if len(a.documents) == 0 {
		return nil
	}
	if err := p.survey(ctx, a); err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	put := func(name string, content []byte, needed func(i int) bool) {
		c := registry.Bytes(content)
		b := &blob{name: name, known: true, content: c, held: map[target]bool{}}
		b.desc, _ = c.Descriptor()
		for i, t := range p.targets {
			b.held[t] = t.repository() != nil && !needed(i)
		}
		g.Go(func() error { return p.put(gctx, b) })
	}
	for _, d := range a.documents {
		put(d.name, d.content, func(i int) bool { return !p.listed[i][d.desc.Digest] })
	}
	put("empty config", emptyConfig, func(i int) bool {
		return slices.ContainsFunc(a.documents, func(d *document) bool { return !p.listed[i][d.desc.Digest] })
	})
	return g.Wait()
}

// attach makes the repositories list the documents. Tags come after that: an
// image that a tag names has its documents.
func (p *publisher) attach(ctx context.Context, a *assembled) error {
	if len(a.documents) == 0 {
		return nil
	}
	g, gctx := errgroup.WithContext(ctx)
	for i, t := range p.targets {
		repo := t.repository()
		if repo == nil || p.complete(a, func(other target) bool { return other == t }) {
			continue
		}
		g.Go(func() error {
			// Not every registry takes a referrer before its subject.
			if err := t.child(gctx, a.desc, a.raw); err != nil {
				return err
			}
			lists, each := errgroup.WithContext(gctx)
			lists.SetLimit(maxAsking)
			for _, l := range a.referrerLists() {
				var missing []registry.Referrer
				for _, m := range l.referrers {
					if !p.listed[i][m.desc.Digest] {
						missing = append(missing, registry.Referrer{Descriptor: m.listed(), Raw: m.raw})
					}
				}
				if len(missing) > 0 {
					lists.Go(func() error { return destinationError(t, repo.Attach(each, l.subject.desc.Digest, missing)) })
				}
			}
			return lists.Wait()
		})
	}
	return g.Wait()
}

// attachments stores the documents of a in the layout, and returns what names
// them there; nil where there are none.
func (t *fileTarget) attachments(ctx context.Context, a *assembled) (func(context.Context) ([]layout.Entry, error), error) {
	if len(a.documents) == 0 {
		return nil, nil
	}
	r := &fileReceiver{freight: &freight{top: &manifest{desc: a.desc}, lists: a.referrerLists()}, target: t}
	for _, d := range a.documents {
		if err := r.put(ctx, d.desc, d.raw); err != nil {
			return nil, fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return r.attachments, nil
}

// documentsAt attaches what is missing to an image that is at every target
// already. It reports false where an image layout lacks something: that is
// written as a whole.
func (p *publisher) documentsAt(ctx context.Context, img *Image, report *Report) (bool, error) {
	if p.documents.none() {
		return true, nil
	}
	a, err := img.assemble(ctx)
	if err != nil {
		return false, err
	}
	if a, err = p.with(img, a); err != nil {
		return false, err
	}
	if err := p.survey(ctx, a); err != nil {
		return false, err
	}
	if !p.complete(a, func(t target) bool { return t.repository() == nil }) {
		return false, nil
	}
	report.Referrers = a.referrers()
	if p.complete(a, func(target) bool { return true }) {
		return true, nil
	}
	if err := p.documentBlobs(ctx, a); err != nil {
		return false, err
	}
	if err := p.attach(ctx, a); err != nil {
		return false, err
	}
	_, requests := registry.Counting(ctx)
	report.Transfer = p.transfer
	report.Transfer.Requests = requests.Load()
	return true, nil
}

// referrers is the documents as a Report has them.
func (a *assembled) referrers() []Referrer {
	var all []Referrer
	for _, d := range a.documents {
		all = append(all, referrerOf(d.listed(), d.subject.desc.Digest))
	}
	return all
}
