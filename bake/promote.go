// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// PromoteOptions say what is promoted, and on what conditions. The zero value
// promotes an image with everything that refers to it.
type PromoteOptions struct {
	// Platform promotes the image for OS/ARCH[/VARIANT] of an index, under its
	// own digest; empty promotes the index.
	Platform string
	// NoReferrers leaves behind what refers to the image, signatures that have
	// tags of their own included.
	NoReferrers bool
	// RequireReferrers are types each of which a referrer of the image must
	// have: as its artifact type, as its config's media type or as a layer's.
	RequireReferrers []string
	// Verify, unless it is nil, promotes only what Verify has nothing against;
	// its Platforms are not used. It reads the bake's layers.
	Verify *VerifyOptions
	// NoClobber makes it an error that a tag exists with another digest.
	NoClobber bool
	// Progress hears of every blob on its way, from several goroutines; nil is
	// for nobody.
	Progress func(Event)
}

// A PromoteReport says what was promoted and what it took.
type PromoteReport struct {
	Source       string          `json:"source"`
	Digest       v1.Hash         `json:"digest"`
	MediaType    types.MediaType `json:"mediaType"`
	Size         int64           `json:"size"` // of the manifest or index, in bytes
	Destinations []string        `json:"destinations"`
	Manifests    int             `json:"manifests"` // the image's own, at every level
	Referrers    int             `json:"referrers"` // of any of them, and of each other
	Transfer     Transfer        `json:"transfer"`
	// Notes says what was left behind that is not part of the image, and why.
	Notes []string `json:"notes,omitempty"`

	// Published is where the image is now, by digest: each repository once, in
	// the order of the destinations.
	Published []string `json:"-"`
}

// Promote copies the image at src, byte for byte and so under the same digest,
// to every location dst: registries, OCI image layouts, archives of these. What
// a destination holds is not sent again. All blobs come first, then the
// manifests that an index lists, the index, what refers to any of them, and
// last the tags; a failure leaves every tag as it was. A nil remote is
// anonymous.
//
// The error is ErrRefused where a condition of opts does not hold, that of Verify
// where the image was to be verified, ErrConflict
// where a tag may not move, ErrNotFound where the image or a part of it is not
// there, and ErrIntegrity where a part is not what it is said to be.
func Promote(ctx context.Context, src string, remote *Remote, opts PromoteOptions, dst ...string) (*PromoteReport, error) {
	remote = remote.orDefault()
	ctx, requests := registry.Counting(ctx)
	from, to, err := promoteLocations(src, dst, remote)
	if err != nil {
		return nil, err
	}
	f, err := collect(ctx, from, remote, opts)
	if err != nil {
		return nil, &sideError{"source " + from.String(), err}
	}
	defer f.source.Close()
	if err := f.gate(opts.RequireReferrers); err != nil {
		return nil, &sideError{"source " + from.String(), err}
	}
	if opts.Verify != nil {
		if err := f.verify(ctx, from, remote, opts); err != nil {
			return nil, err
		}
	}
	r := f.report(from, to)
	if to, err = f.elsewhere(from, to); err != nil {
		return nil, err
	}
	if len(to) > 0 {
		if r.Transfer, err = f.send(ctx, remote, opts, to); err != nil {
			return nil, err
		}
	}
	r.Transfer.Requests = requests.Load()
	return r, nil
}

// promoteLocations reads the locations and refuses those that cannot keep a
// digest.
func promoteLocations(src string, dst []string, remote *Remote) (from Location, to []Location, err error) {
	if from, err = ParseLocation(src, remote.insecure); err != nil {
		return from, nil, err
	}
	if len(dst) == 0 {
		return from, nil, usagef("no destination: name at least one")
	}
	for _, s := range dst {
		loc, err := parseDestination(s, remote.insecure)
		if err != nil {
			return from, nil, err
		}
		to = append(to, loc)
	}
	for _, loc := range append([]Location{from}, to...) {
		if loc.transport == transportDockerArchive {
			return from, nil, usagef("image %q: a docker-archive holds no manifest, and so no digest to keep; use oci-archive", loc)
		}
	}
	return from, to, nil
}

func (f *freight) report(from Location, to []Location) *PromoteReport {
	r := &PromoteReport{
		Source: from.String(), Digest: f.top.desc.Digest, MediaType: f.top.desc.MediaType, Size: f.top.desc.Size,
		Notes: f.notes,
	}
	for _, m := range f.all {
		if m.attached {
			r.Referrers++
		} else {
			r.Manifests++
		}
	}
	for _, loc := range to {
		r.Destinations = append(r.Destinations, loc.String())
		if at := loc.withDigest(r.Digest.String()); !slices.Contains(r.Published, at) {
			r.Published = append(r.Published, at)
		}
	}
	return r
}

// elsewhere leaves out the files that the image is read from and that have it
// under the destination's tag: an archive would be written anew, without its
// other images.
func (f *freight) elsewhere(from Location, to []Location) ([]Location, error) {
	var others []Location
	for _, loc := range to {
		if loc.transport == from.transport && !loc.registry() && filepath.Clean(loc.path) == filepath.Clean(from.path) {
			current, err := loc.current()
			if err != nil {
				return nil, destinationFailed(loc, err)
			}
			if current == f.top.desc.Digest {
				continue
			}
		}
		others = append(others, loc)
	}
	return others, nil
}

// send brings the freight to every location.
func (f *freight) send(ctx context.Context, remote *Remote, opts PromoteOptions, to []Location) (Transfer, error) {
	var names []string
	for _, loc := range to {
		names = append(names, loc.String())
	}
	p, err := newPublisher(remote, names, PublishOptions{Progress: opts.Progress})
	if err != nil {
		return Transfer{}, err
	}
	defer p.end(ctx)
	receivers := make([]receiver, len(p.targets))
	for i, t := range p.targets {
		receivers[i] = f.receiver(t)
	}
	each := func(do func(ctx context.Context, r receiver) error) error {
		g, gctx := errgroup.WithContext(ctx)
		for i, r := range receivers {
			g.Go(func() error { return destinationError(p.targets[i], do(gctx, r)) })
		}
		return g.Wait()
	}
	// Whether something may be sent is settled before anything is.
	if err := each(func(ctx context.Context, r receiver) error { return r.survey(ctx, opts.NoClobber) }); err != nil {
		return p.transfer, err
	}
	if err := f.sendBlobs(ctx, p, receivers); err != nil {
		return p.transfer, err
	}
	if err := each(func(ctx context.Context, r receiver) error { return r.store(ctx) }); err != nil {
		return p.transfer, err
	}
	var published []string
	for i, r := range receivers {
		exposed, err := r.expose(ctx)
		published = append(published, exposed...)
		if err != nil {
			err = destinationError(p.targets[i], err)
			err = partly(published, err)
			return p.transfer, err
		}
	}
	p.done = true
	return p.transfer, nil
}

// sendBlobs puts every blob, once however many manifests share it.
func (f *freight) sendBlobs(ctx context.Context, p *publisher, receivers []receiver) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, b := range f.blobs() {
		g.Go(func() error {
			b.held = map[target]bool{}
			for i, r := range receivers {
				held, err := r.keeps(ctx, b)
				if err != nil {
					return destinationError(p.targets[i], err)
				}
				b.held[p.targets[i]] = held
			}
			return p.put(ctx, &b.blob)
		})
	}
	return g.Wait()
}
