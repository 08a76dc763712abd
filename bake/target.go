// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// target is a place that an image is published to: a repository with any number
// of tags, an image layout, or an archive.
type target interface {
	String() string
	// repository is where in a registry the target is; nil for files.
	repository() *registry.Repository
	// lead is the target of the same registry that blobs are mounted from;
	// nil where this one gets its own.
	lead() *repositoryTarget
	// has makes the target hold the blob without moving its bytes, and says
	// how; "" where that is not possible.
	has(ctx context.Context, b *blob) (Means, error)
	upload(ctx context.Context, c registry.Content) error
	// oneAtATime reports that an upload waits until another has ended.
	oneAtATime() bool
	// child stores the manifest of one platform.
	child(ctx context.Context, desc v1.Descriptor, raw []byte) error
	// publish makes the image visible under every tag and returns the
	// locations where it is.
	publish(ctx context.Context, a *assembled) ([]string, error)
	// locations is what was asked for.
	locations() []Location
	abort()
}

// parseDestination reads a location that an image can be published to.
func parseDestination(s string, insecure bool) (Location, error) {
	loc, err := ParseLocation(s, insecure)
	if _, byDigest := loc.ref.(name.Digest); err == nil && byDigest {
		err = usagef("destination %q: an image is published under a tag, not under a digest", s)
	}
	return loc, err
}

// newTargets makes a target for each repository and file among the locations.
func newTargets(remote *Remote, locations []string) ([]target, error) {
	repositories := map[string]*repositoryTarget{}
	leads := map[string]*repositoryTarget{}
	files := map[string]*fileTarget{} // by path
	var targets []target
	abort := func() {
		for _, t := range targets {
			t.abort()
		}
	}
	for _, s := range locations {
		loc, err := parseDestination(s, remote.insecure)
		if err != nil {
			abort()
			return nil, err
		}
		if loc.registry() {
			repo := loc.ref.Context()
			t, ok := repositories[repo.Name()]
			if !ok {
				t = &repositoryTarget{repo: remote.client.Repository(repo), first: leads[repo.RegistryStr()], ledger: remote.ledger, asking: remote.asking}
				if t.first == nil {
					leads[repo.RegistryStr()] = t
				}
				repositories[repo.Name()] = t
				targets = append(targets, t)
			}
			t.add(loc)
			continue
		}
		path := filepath.Clean(loc.path)
		t, ok := files[path]
		if ok && t.first.transport != loc.transport {
			abort()
			return nil, usagef("destinations %s and %s are the same file", t.first, loc)
		}
		if !ok {
			if t, err = newFileTarget(loc, remote.checks); err != nil {
				abort()
				return nil, &sideError{"destination " + loc.String(), err}
			}
			files[path] = t
			targets = append(targets, t)
		}
		t.add(loc)
	}
	return targets, nil
}

// fits refuses a location that cannot hold img, or is a part of it, before
// anything is written there.
func (l Location) fits(img *Image) error {
	if n := len(img.base.images); n > 1 && l.transport == transportDockerArchive {
		return usagef("destination %s: a docker-archive holds one platform, and the bake has %d; choose one with --platform", l, n)
	}
	if source, yes := l.isInput(img.changes.bakedLayers()); yes {
		return usagef("destination %s is a file that is baked: %s", l, source)
	}
	return nil
}

// repositoryTarget publishes to one repository of a registry.
type repositoryTarget struct {
	repo   *registry.Repository
	first  *repositoryTarget // of the same registry, or nil
	tags   []Location
	ledger *ledger
	asking chan struct{} // of the Remote
}

func (t *repositoryTarget) add(loc Location) {
	if !slices.Contains(t.tags, loc) {
		t.tags = append(t.tags, loc)
	}
}

func (t *repositoryTarget) String() string { return familiar(t.repo.Name().Name()) }

func (t *repositoryTarget) repository() *registry.Repository { return t.repo }

func (t *repositoryTarget) lead() *repositoryTarget { return t.first }

func (t *repositoryTarget) abort() {}

func (t *repositoryTarget) oneAtATime() bool { return false }

func (t *repositoryTarget) locations() []Location { return t.tags }

func (t *repositoryTarget) wrap(err error) error { return destinationError(t, err) }

// destinationError says that err arose at t, unless it is known to have arisen
// elsewhere: reading the base, while it was copied.
func destinationError(t target, err error) error {
	var other *sideError
	if err == nil || errors.As(err, &other) {
		return err
	}
	return &sideError{"destination " + t.String(), err}
}

// worthAsking is the size from which a blob of the bake is looked for before it
// is sent.
const worthAsking = 64 << 10

func (t *repositoryTarget) has(ctx context.Context, b *blob) (Means, error) {
	if !b.known {
		return "", nil
	}
	if t.ledger.holds(t.repo.Name(), b.desc.Digest) {
		return Reused, nil
	}
	var sources []name.Repository
	if b.from != nil && registry.SameRegistry(b.from.Name(), t.repo.Name()) {
		if b.base && b.from.Name().Name() == t.repo.Name().Name() {
			return Reused, nil
		}
		sources = append(sources, b.from.Name())
	}
	if b.origin != nil && registry.SameRegistry(b.origin.Name(), t.repo.Name()) && b.origin.Name().Name() != t.repo.Name().Name() {
		sources = append(sources, b.origin.Name())
	}
	if holder, ok := t.ledger.holder(t.repo.Name().RegistryStr(), b.desc.Digest); ok && !slices.Contains(sources, holder) {
		sources = append(sources, holder)
	}
	for _, from := range sources {
		mounted, err := t.repo.Mount(ctx, b.desc.Digest, from)
		if err != nil {
			return "", t.wrap(err)
		}
		if mounted {
			return Mounted, nil
		}
	}
	if !b.base && b.desc.Size < worthAsking {
		return "", nil
	}
	found, err := t.repo.HasBlob(ctx, b.desc.Digest)
	if err != nil {
		return "", t.wrap(err)
	}
	if found {
		return Reused, nil
	}
	return "", nil
}

func (t *repositoryTarget) upload(ctx context.Context, c registry.Content) error {
	return t.wrap(t.repo.Upload(ctx, c))
}

func (t *repositoryTarget) child(ctx context.Context, desc v1.Descriptor, raw []byte) error {
	return t.wrap(t.repo.PutManifest(ctx, desc.Digest.String(), desc.MediaType, raw))
}

func (t *repositoryTarget) publish(ctx context.Context, a *assembled) ([]string, error) {
	var published []string
	for _, tag := range t.tags {
		if err := t.repo.PutManifest(ctx, tag.ref.Identifier(), a.desc.MediaType, a.raw); err != nil {
			return published, t.wrap(err)
		}
		published = append(published, tag.String())
	}
	return published, nil
}
