// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// A mirror holds copies of a registry's images, under their own names below a
// path.
type mirror struct {
	at   string // HOST[:PORT][/PATH]
	down atomic.Bool
}

// newMirrors is the mirrors of each registry, under the registry's host.
func newMirrors(given map[string][]string) map[string][]*mirror {
	mirrors := map[string][]*mirror{}
	for _, host := range slices.Sorted(maps.Keys(given)) {
		all := given[host]
		if reg, err := name.NewRegistry(host); err == nil {
			host = reg.RegistryStr() // Docker Hub has two names
		}
		for _, at := range all {
			mirrors[host] = append(mirrors[host], &mirror{at: at})
		}
	}
	return mirrors
}

// openBase is open for an image to bake on, which may be read from mirrors.
func openBase(ctx context.Context, what, ref string, remote *Remote, platforms []v1.Platform, expect func(images int)) (*Base, error) {
	b, err := openUnread(ctx, what, ref, remote)
	if err != nil {
		return nil, err
	}
	if s, ok := b.source.(registrySource); ok {
		if b.source, err = remote.mirrored(s); err != nil {
			return nil, err
		}
	}
	return b.readOrClose(ctx, remote, platforms, expect)
}

// originOf is the repository that s is a copy of, which may hold the same blobs;
// nil for no copy.
func originOf(s imageSource) *registry.Repository {
	if m, ok := s.(*mirroredSource); ok && m.found != m.origin.repo {
		return m.origin.repo
	}
	return nil
}

// repository is what the mirror calls a repository of its registry.
func (m *mirror) repository(repo string, insecure bool) (name.Repository, error) {
	host, below, _ := strings.Cut(m.at, "/")
	var opts []name.Option
	if insecure {
		opts = append(opts, name.Insecure)
	}
	reg, err := name.NewRegistry(host, opts...)
	repo = path.Join(below, repo)
	if err != nil || host == "" || strings.HasSuffix(host, ":") || !validRepository().MatchString(repo) {
		return name.Repository{}, usagef("mirror %q: want HOST[:PORT][/PATH], a path in lower-case letters, digits and . _ - /", m.at)
	}
	return reg.Repo(repo), nil
}

// A mirroredSource reads an image from mirrors of its registry, and what they
// do not give from the registry itself. A digest proves what a mirror says;
// what a tag stands for is believed.
type mirroredSource struct {
	origin registrySource
	copies []*copyOfOrigin
	logger *slog.Logger

	found *registry.Repository // where the image's own name was looked up; nil before
}

// copyOfOrigin is one mirror of a source.
type copyOfOrigin struct {
	*mirror
	repo   *registry.Repository
	passed atomic.Bool // it failed in a way that the next request would meet too
}

// mirrored is s, which is a base, behind the mirrors of its registry.
func (r *Remote) mirrored(s registrySource) (imageSource, error) {
	repo := s.repo.Name()
	m := &mirroredSource{origin: s, logger: r.logger}
	for _, one := range r.mirrors[repo.RegistryStr()] {
		at, err := one.repository(repo.RepositoryStr(), r.insecure)
		if err != nil {
			return nil, err
		}
		m.copies = append(m.copies, &copyOfOrigin{mirror: one, repo: r.mirrorClient.Repository(at)})
	}
	if len(m.copies) == 0 {
		return s, nil
	}
	return m, nil
}

// repository is where the image was found, which need not have all of it.
func (s *mirroredSource) repository() *registry.Repository { return s.found }

func (s *mirroredSource) Close() error { return nil }

func (s *mirroredSource) manifest(ctx context.Context, ref string) (desc v1.Descriptor, raw []byte, err error) {
	from := s.origin.repo
	err = s.first(ctx, 0, "manifest "+ref, func(_ int, repo *registry.Repository) error {
		from = repo
		desc, raw, err = repo.Manifest(ctx, ref)
		return err
	})
	if s.found == nil { // the first call, which everything else follows
		s.found = from
	}
	return desc, raw, err
}

func (s *mirroredSource) blob(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	b := &mirroredBlob{ctx: ctx, source: s, desc: desc}
	if err := b.open(0); err != nil {
		return nil, err
	}
	// Its parts may come from several places, each of which proves its own.
	return registry.Verify(b, desc)
}

// first calls read with one place after the other, from that of number n on,
// until one gives what is wanted. The last is the registry itself. What does not
// match its digest ends the search: a mirror that is tampered with is not passed
// over in silence.
func (s *mirroredSource) first(ctx context.Context, n int, what string, read func(n int, repo *registry.Repository) error) error {
	for ; n < len(s.copies); n++ {
		c := s.copies[n]
		if c.down.Load() || c.passed.Load() {
			continue
		}
		err := read(n, c.repo)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if errors.Is(err, ErrIntegrity) {
			return fmt.Errorf("mirror %s: %w", c.at, err)
		}
		s.failed(c, what, err)
	}
	return read(n, s.origin.repo)
}

// failed notes why a mirror was no help.
func (s *mirroredSource) failed(c *copyOfOrigin, what string, err error) {
	switch {
	case errors.Is(err, ErrNotFound):
		s.logger.Info("the mirror lacks it", "at", c.at, "what", what)
		return
	case errors.Is(err, ErrUnavailable) && c.down.Swap(true):
		return // somebody has said so
	case c.passed.Swap(true):
		return
	}
	s.logger.Warn("the base is not read from the mirror", "at", c.at, "because", err)
}

// mirroredBlob reads a blob, and goes on in the next place where one fails.
type mirroredBlob struct {
	ctx    context.Context // of the read as a whole, as io.Reader has none
	source *mirroredSource
	desc   v1.Descriptor

	body io.ReadCloser
	from int // the place of body
	at   int64
}

// open opens the blob in the place of number n or a later one.
func (b *mirroredBlob) open(n int) error {
	return b.source.first(b.ctx, n, "blob "+b.desc.Digest.String(), func(n int, repo *registry.Repository) error {
		body, err := repo.Blob(b.ctx, b.desc)
		if err != nil {
			return err
		}
		if _, err := io.CopyN(io.Discard, body, b.at); err != nil {
			body.Close() // was opened for reading only
			return err
		}
		b.body, b.from = body, n
		return nil
	})
}

func (b *mirroredBlob) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.at += int64(n)
	last := b.from == len(b.source.copies)
	if err == nil || err == io.EOF || last || b.ctx.Err() != nil {
		return n, err
	}
	from := b.source.copies[b.from]
	if errors.Is(err, ErrIntegrity) {
		return n, fmt.Errorf("mirror %s: %w", from.at, err)
	}
	b.source.failed(from, "blob "+b.desc.Digest.String(), err)
	b.body.Close() // was opened for reading only
	if err := b.open(b.from + 1); err != nil {
		b.body = io.NopCloser(strings.NewReader(""))
		return n, err
	}
	return n, nil
}

func (b *mirroredBlob) Close() error { return b.body.Close() }
