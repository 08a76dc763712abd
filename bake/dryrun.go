// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"slices"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// DryRun finds out what Bake would do, and writes nothing: files are read and
// packed, the base's manifests are read, and destinations are asked what they
// hold. The report's Transfer is what would be moved; mounts count as granted.
func (p *Plan) DryRun(ctx context.Context, remote *Remote) (*Report, error) {
	remote = remote.orDefault()
	ctx, requests := registry.Counting(ctx)
	if err := p.possible(); err != nil {
		return nil, err
	}
	base, err := Open(ctx, p.spec.Base, remote, p.platforms...)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	img, err := Build(base, p)
	if err != nil {
		return nil, err
	}
	a, err := img.assemble(ctx)
	if err != nil {
		return nil, err
	}
	report := describeImage(img, a)
	var locations []Location
	for _, tag := range p.spec.Tags {
		loc, err := parseDestination(tag, remote.insecure)
		if err != nil {
			return nil, err
		}
		if err := loc.fits(img); err != nil {
			return nil, err
		}
		locations = append(locations, loc)
		report.Tags = append(report.Tags, loc.String())
	}
	report.Transfer, err = budget(ctx, img, a, remote, locations)
	report.Transfer.Requests = requests.Load()
	return report, err
}

// budget adds up what every destination lacks.
func budget(ctx context.Context, img *Image, a *assembled, remote *Remote, locations []Location) (Transfer, error) {
	var mu sync.Mutex
	var t Transfer
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxAsking)
	seen := map[string]bool{}
	leads := map[string]string{} // the first repository of each registry
	for _, loc := range locations {
		place, follows := loc.transport+":"+loc.path, false
		if loc.registry() {
			place = loc.ref.Context().Name()
			registry := loc.ref.Context().RegistryStr()
			if leads[registry] == "" {
				leads[registry] = place
			}
			follows = leads[registry] != place
		}
		for _, one := range a.images {
			n := len(one.base.manifest.Layers)
			for i, desc := range slices.Concat(one.manifest.Layers, []v1.Descriptor{one.manifest.Config}) {
				base := i < n
				key := place + " " + desc.Digest.String()
				if seen[key] || base && !desc.MediaType.IsDistributable() {
					continue
				}
				seen[key] = true
				g.Go(func() error {
					how := Mounted // from the first repository
					from := img.base.source.repository()
					own := base && from != nil && loc.registry() && from.Name().Name() == loc.ref.Context().Name()
					if !follows || own || remote.ledger.holds(loc.ref.Context(), desc.Digest) {
						how = foresee(ctx, img, remote, loc, &blob{desc: desc, known: true, base: base})
					}
					mu.Lock()
					defer mu.Unlock()
					t.add(how, desc.Size)
					return nil
				})
			}
		}
	}
	return t, g.Wait()
}

// foresee is how loc would get the blob: what target.has and publisher.send
// would come to.
func foresee(ctx context.Context, img *Image, remote *Remote, loc Location, b *blob) Means {
	lacking := Uploaded
	if b.base {
		lacking = Copied
	}
	if !loc.registry() {
		if loc.holds(ctx, remote.checks, b.desc) {
			return Reused
		}
		return lacking
	}
	repo := loc.ref.Context()
	if remote.ledger.holds(repo, b.desc.Digest) {
		return Reused
	}
	if from := img.base.source.repository(); b.base && from != nil && from.Name().RegistryStr() == repo.RegistryStr() {
		if from.Name().Name() == repo.Name() {
			return Reused
		}
		return Mounted
	}
	if _, ok := remote.ledger.holder(repo.RegistryStr(), b.desc.Digest); ok {
		return Mounted
	}
	if origin := originOf(img.base.source); b.base && origin != nil && registry.SameRegistry(origin.Name(), repo) && origin.Name().Name() != repo.Name() {
		return Mounted
	}
	if !b.base && b.desc.Size < worthAsking {
		return lacking
	}
	// A repository that does not exist yet, or may not be read, holds nothing.
	if found, err := remote.client.Repository(repo).HasBlob(ctx, b.desc.Digest); err == nil && found {
		return Reused
	}
	return lacking
}

// holds reports whether l is an image layout that has the blob.
func (l Location) holds(ctx context.Context, checks *layout.Checks, desc v1.Descriptor) bool {
	if l.transport != transportOCI {
		return false // an archive is always written anew
	}
	held, err := checks.Holds(ctx, l.path, desc)
	return held && err == nil
}
