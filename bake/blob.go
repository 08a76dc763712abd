// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// maxAsking bounds the requests that move no blob, or a small one.
const maxAsking = 32

// briefBlob is the size up to which a blob's bytes take no longer than the
// request that they come with.
const briefBlob = 64 << 10

// blob is a blob on its way to every target.
type blob struct {
	name    string // for people: "layer model"
	desc    v1.Descriptor
	known   bool // whether desc's digest and size are
	base    bool // of the base image, rather than of the bake
	content registry.Content
	from    *registry.Repository // where it can be mounted from, or nil
	origin  *registry.Repository // that from is a mirror of and that may have it, or nil
	held    map[target]bool      // the targets that are known to have it
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

// put makes every target hold the blob. The targets that lack it and cannot
// mount it get it in one pass; further repositories of a registry mount it from
// the first.
func (p *publisher) put(ctx context.Context, b *blob) error {
	var leads, followers []target
	for _, t := range p.targets {
		if t.lead() == nil {
			leads = append(leads, t)
		} else {
			followers = append(followers, t)
		}
	}
	if err := p.deliver(ctx, leads, b); err != nil {
		return err
	}
	for _, t := range followers {
		follower := *b
		if !b.base || b.from == nil || b.from.Name().Name() != t.repository().Name().Name() {
			follower.from = t.lead().repo
		}
		if err := p.deliver(ctx, []target{t}, &follower); err != nil {
			return err
		}
	}
	return nil
}

// deliver gets the blob to targets no two of which are in one registry. While
// another call sends the same blob to one of the registries, it waits, and
// then asks again.
func (p *publisher) deliver(ctx context.Context, targets []target, b *blob) error {
	ledger := p.remote.ledger
	asked := map[target]int{} // how many holders its registry had
	news := func(t target) bool {
		n, ok := asked[t]
		repo := t.repository()
		return !ok || repo != nil && b.known && ledger.count(repo.Name().RegistryStr(), b.desc.Digest) > n
	}
	for {
		var lack []target
		var registries []string
		for _, t := range targets {
			if repo := t.repository(); repo != nil {
				registries = append(registries, repo.Name().RegistryStr())
			}
			if !news(t) {
				lack = append(lack, t)
				continue
			}
			asked[t] = 0
			if repo := t.repository(); repo != nil && b.known {
				asked[t] = ledger.count(repo.Name().RegistryStr(), b.desc.Digest)
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
		if len(lack) == 0 || !b.known {
			return p.send(ctx, lack, b)
		}
		release, err := ledger.board(ctx, registries, b.desc.Digest)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(lack, news) {
			err := p.send(ctx, lack, b)
			release()
			return err
		}
		release()
		targets = lack
	}
}

// ask finds out whether t gets the blob without its bytes; "" is no.
func (p *publisher) ask(ctx context.Context, t target, b *blob) (Means, error) {
	if b.held[t] {
		return Reused, nil
	}
	if err := acquire(ctx, p.remote.asking); err != nil {
		return "", err
	}
	defer release(p.remote.asking)
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
	tokens := p.remote.moving
	if b.known && b.desc.Size <= briefBlob {
		tokens = p.remote.asking
	}
	if err := acquire(ctx, tokens); err != nil {
		return err
	}
	defer release(tokens)
	means := Uploaded
	if b.base {
		means = Copied
	}
	errs := fanOut(ctx, b.content, len(targets), func(i int, content registry.Content) error {
		t := targets[i]
		p.progress(Event{Blob: b.name, Target: t.String(), Total: b.desc.Size})
		return t.upload(ctx, p.watched(t, b, content))
	})
	if err := joinDistinct(errs); err != nil {
		return err
	}
	b.desc, b.known = b.content.Descriptor()
	for _, t := range targets {
		p.settled(t, b, means)
	}
	return nil
}

// joinDistinct joins errors and says each once: what keeps a blob from being
// read keeps it from every target.
func joinDistinct(errs []error) error {
	var distinct []error
	for _, err := range errs {
		same := func(other error) bool { return other.Error() == err.Error() }
		if err != nil && !slices.ContainsFunc(distinct, same) {
			distinct = append(distinct, err)
		}
	}
	return errors.Join(distinct...)
}

// settled counts a blob that t has got.
func (p *publisher) settled(t target, b *blob, how Means) {
	if repo := t.repository(); repo != nil {
		p.remote.ledger.add(repo.Name(), b.desc.Digest)
	}
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
