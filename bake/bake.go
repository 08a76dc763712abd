// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package bake makes baked engine images: an engine image of ModelOp Center
// (FastScore) with a model, its Avro schemas, its stream descriptors and its
// attachments inside, named by environment variables. It needs no container
// engine and none of the base's bytes: it reads the base's manifest and config,
// adds layers, changes the config, and writes the result to where it belongs.
//
// A Spec says what to bake. NewPlan finds and checks its files without any
// network, Open reads a base, Build puts one on the other, and Publish writes
// the result to registries, OCI image layouts or archives. Bake does all of it
// at once, with the steps overlapped:
//
//	report, err := bake.Bake(ctx, bake.Spec{
//		FS:      os.DirFS("scorer"),
//		Base:    "fastscore/engine:1.10",
//		Tags:    []string{"registry.example.com/team/scorer:v1"},
//		Model:   "model.py3",
//		Schemas: map[string]string{"input": "input.avsc"},
//		Streams: map[int]string{0: "rest.json", 1: "kafka.json"},
//	}, nil, bake.Options{})
//
// The same inputs give the same digest, on any machine. A failure leaves every
// destination as it was: a tag moves last, a file is renamed into its place. Of
// several destinations some may have the image when another one fails at the very
// end: a PartialError names them.
package bake

import (
	"context"

	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// Options say how a bake goes about its work; the zero value works.
type Options struct {
	// Strict makes warnings of the check forbid the bake.
	Strict bool
	// NoCheck bakes in spite of what the check finds, except for findings that
	// make the bake impossible to express.
	NoCheck bool
	// CacheDir is a directory where the digests of large files are remembered
	// from one bake to the next, so that unchanged ones are not read again;
	// empty is none. A file counts as unchanged while its device, inode, size
	// and times are the same.
	CacheDir string
	// SBOM attaches a bill of materials to each platform's image and to the
	// index, in this format; empty is none. It follows from the image alone.
	SBOM SBOMFormat
	// Provenance attaches SLSA provenance to each platform's image and to the
	// index; nil is none.
	Provenance *Provenance
	// Progress hears of every blob on its way, from several goroutines; nil is
	// for nobody.
	Progress func(Event)
}

func (o Options) publishing() PublishOptions {
	return PublishOptions{SBOM: o.SBOM, Provenance: o.Provenance, Progress: o.Progress}
}

// Bake bakes spec onto spec.Base and publishes it at every location of
// spec.Tags. A nil remote is anonymous. Where the check forbids the bake, the
// error is a CheckError and nothing has been sent.
func Bake(ctx context.Context, spec Spec, remote *Remote, opts Options) (*Report, error) {
	plan, err := NewPlan(ctx, spec)
	if err != nil {
		return nil, err
	}
	return plan.Bake(ctx, remote, opts)
}

// Bake is the function Bake for a plan that exists.
func (p *Plan) Bake(ctx context.Context, remote *Remote, opts Options) (*Report, error) {
	if err := p.permitted(opts); err != nil {
		return nil, err
	}
	remote = remote.orDefault()
	opened := func(ctx context.Context, pub *publisher) (*Image, error) {
		base, err := openBase(ctx, "base", p.spec.Base, remote, p.platforms, func(images int) { pub.reserve(ctx, images) })
		if err != nil {
			return nil, err
		}
		img, err := Build(base, p)
		if err == nil && !opts.NoCheck {
			err = img.Verdict(opts.Strict) // the base may have its own variables of the contract
		}
		if err != nil {
			base.Close() // was opened for reading only
			return nil, err
		}
		return img, nil
	}
	memory := p.recall(opts.CacheDir, remote.logger)
	for {
		report, img, err := publish(ctx, p.layers, opened, remote, p.spec.Tags, opts.publishing())
		if img != nil {
			img.base.Close() // was opened for reading only
		}
		if memory.stale(err) {
			continue
		}
		if err == nil {
			memory.keep()
		}
		return report, err
	}
}

// PublishOptions say how Publish goes about its work; the zero value works.
type PublishOptions struct {
	// SBOM and Provenance are those of Options.
	SBOM       SBOMFormat
	Provenance *Provenance
	// Progress hears of every blob on its way, from several goroutines; nil is
	// for nobody.
	Progress func(Event)
}

// Publish writes img to every one of the locations tags. All blobs and child
// manifests are everywhere before the first tag moves. A nil remote is
// anonymous.
func Publish(ctx context.Context, img *Image, remote *Remote, opts PublishOptions, tags ...string) (*Report, error) {
	openBase := func(ctx context.Context, pub *publisher) (*Image, error) {
		pub.reserve(ctx, len(img.base.images))
		return img, nil
	}
	report, _, err := publish(ctx, img.changes.bakedLayers(), openBase, remote.orDefault(), tags, opts)
	return report, err
}

// publish publishes an image of layers and a base.
func publish(ctx context.Context, layers []*bakedLayer, openBase func(context.Context, *publisher) (*Image, error), remote *Remote, tags []string, opts PublishOptions) (*Report, *Image, error) {
	pub, err := newPublisher(remote, tags, opts)
	if err != nil {
		return nil, nil, err
	}
	defer pub.end(ctx)
	return pub.publish(ctx, layers, openBase)
}

// publish moves layers while openBase finds the base, then the rest.
func (p *publisher) publish(ctx context.Context, layers []*bakedLayer, openBase func(context.Context, *publisher) (*Image, error)) (*Report, *Image, error) {
	var img *Image
	var a *assembled
	ctx, p.requests = registry.Counting(ctx)
	described := make(chan struct{}) // the configs name the layers' digests
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return p.layers(gctx, layers, described) })
	g.Go(func() error {
		var err error
		if img, err = openBase(gctx, p); err != nil {
			return err
		}
		for _, t := range p.targets {
			if err := t.locations()[0].fits(img); err != nil {
				return err
			}
		}
		g.Go(func() error { return p.base(gctx, img.base) })
		select {
		case <-described:
		case <-gctx.Done():
			return context.Cause(gctx)
		}
		if gctx.Err() != nil {
			return context.Cause(gctx) // the layers failed; theirs is the error
		}
		if a, err = img.assemble(gctx); err != nil {
			return err
		}
		if a, err = p.with(img, a); err != nil {
			return err
		}
		g.Go(func() error {
			if err := p.survey(gctx, a); err != nil {
				return err
			}
			return p.documentBlobs(gctx, a)
		})
		return p.configs(gctx, a)
	})
	if err := g.Wait(); err != nil {
		return nil, img, err
	}
	if err := p.manifests(ctx, a); err != nil {
		return nil, img, err
	}
	return newReport(img, a, p), img, nil
}
