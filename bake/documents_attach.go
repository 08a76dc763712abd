// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"fmt"
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

// documentBlobs puts what the documents hold, after survey.
func (p *publisher) documentBlobs(ctx context.Context, a *assembled) error {
	if len(a.documents) == 0 {
		return nil
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
		put(d.name, d.content, func(i int) bool { return p.lacks(i, d) })
	}
	put("empty config", emptyConfig, func(i int) bool {
		return slices.ContainsFunc(a.documents, func(d *document) bool { return p.lacks(i, d) })
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
			missing := map[v1.Hash][]registry.Referrer{}
			for _, d := range a.documents {
				if p.lacks(i, d) {
					missing[d.subject.Digest] = append(missing[d.subject.Digest], registry.Referrer{Descriptor: d.listed(), Raw: d.raw})
				}
			}
			for subject, referrers := range missing {
				lists.Go(func() error { return destinationError(t, repo.Attach(each, subject, referrers)) })
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
	_, requests := registry.Counting(ctx)
	defer func() {
		report.Transfer = p.transfer
		report.Transfer.Requests = requests.Load()
	}()
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
	p.found = true
	if !p.complete(a, func(t target) bool { return t.repository() == nil }) {
		p.found = false
		return false, nil
	}
	report.Referrers = p.referrers(a)
	if p.complete(a, func(target) bool { return true }) {
		return true, nil
	}
	if err := p.documentBlobs(ctx, a); err != nil {
		return false, err
	}
	return true, p.attach(ctx, a)
}

// referrers is the documents of an image that every target had before: as each
// target lists them, or as made now where one lacks them.
func (p *publisher) referrers(a *assembled) []Referrer {
	var all []Referrer
	for _, d := range a.documents {
		desc := d.listed()
		for i := range p.targets {
			listed, ok := p.lists(i, d)
			if !ok {
				desc = d.listed()
				break
			}
			desc = listed
		}
		all = append(all, referrerOf(desc, d.subject.Digest))
	}
	return all
}

// referrers is the documents as a Report has them.
func (a *assembled) referrers() []Referrer {
	var all []Referrer
	for _, d := range a.documents {
		all = append(all, referrerOf(d.listed(), d.subject.Digest))
	}
	return all
}
