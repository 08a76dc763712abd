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
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// RebaseOptions say how Rebase goes about its work; the zero value works.
type RebaseOptions struct {
	// Base is the new engine image; empty is the name that the record has, to
	// follow a tag that has moved.
	Base string
	// OldBase is the engine image below a bake that has no record. It is not
	// read where there is one.
	OldBase string
	// Platforms chooses platforms, each OS/ARCH[/VARIANT]; none chooses those
	// of the image. One that the image does not have gets the bake that all of
	// the image's platforms share.
	Platforms []string
	// NoCheck rebases even where the new base lacks what the engine contract
	// wants and the old one had.
	NoCheck bool
	// SBOM and Provenance are those of Options.
	SBOM       SBOMFormat
	Provenance *Provenance
	// Progress hears of every blob on its way, from several goroutines; nil is
	// for nobody.
	Progress func(Event)
}

// Rebase puts the bake of the image at ref on another engine image and
// publishes the result at every location of tags. The bake's layers are mounted
// or reused where a registry holds them; nothing is unpacked, and their digests
// stay. The bake's environment, labels, annotations and settings are applied
// to those of the new base, on every platform.
//
// ErrNotFound is for an image without a record where OldBase is empty, and for
// a platform that the new base lacks; ErrIntegrity for a record that does not
// fit its image, or an OldBase that is not below it. The error is a CheckError
// where the result breaks the engine contract and the image did not, as far as
// variables and the record tell: the files are not read.
func Rebase(ctx context.Context, ref string, remote *Remote, opts RebaseOptions, tags ...string) (*Report, error) {
	remote = remote.orDefault()
	ctx, _ = registry.Counting(ctx) // what is read counts too
	chosen, err := parsePlatforms(opts.Platforms)
	if err != nil {
		return nil, err
	}
	toLayout, err := anyLayout(tags)
	if err != nil {
		return nil, err
	}
	img, err := open(ctx, "image", ref, remote, nil, func(int) {})
	if err != nil {
		return nil, err
	}
	defer img.Close() // was opened for reading only
	old := &rebaked{toLayout: toLayout, of: img}
	name, err := old.takeOff(ctx, img, remote, opts.OldBase)
	if err != nil {
		return nil, &sideError{img.side, err}
	}
	if opts.Base != "" {
		name = opts.Base
	}
	if name == "" {
		return nil, usagef("the record names no base: name the new one")
	}
	if len(chosen) == 0 {
		chosen = old.platforms
	}
	base, err := openBase(ctx, "base", name, remote, chosen, func(int) {})
	if err != nil {
		return nil, err
	}
	defer base.Close() // was opened for reading only
	below, baked, err := base.unbaked()
	if err != nil {
		return nil, &sideError{base.side, err}
	}
	if baked {
		below.notes = append(slices.Clone(below.notes), below.replaced(base))
	}
	for _, one := range below.images {
		if _, err := old.patchFor(one.platform); err != nil {
			return nil, &sideError{img.side, err}
		}
	}
	// As of a bake, the image of one platform that was asked for is no index.
	single := len(below.images) == 1 && (img.index == nil || len(opts.Platforms) > 0)
	result := &Image{base: below, changes: old, single: single}
	if !opts.NoCheck {
		if result.findings = old.broken(img, below); len(result.findings) > 0 {
			return nil, &CheckError{Findings: result.findings}
		}
	}
	return publishImage(ctx, result, remote, PublishOptions{opts.SBOM, opts.Provenance, opts.Progress}, tags)
}

// broken is the errors that the bake has on base and did not have in img.
func (r *rebaked) broken(img, base *Base) []engine.Finding {
	type kind struct{ rule, variable, file string }
	before := map[kind]bool{}
	for i, one := range img.images {
		for _, f := range engine.Check(engine.Image{Env: one.config.env, Files: assetFiles(r.patches[i].assets)}, engine.Options{}) {
			before[kind{f.Rule, f.Variable, f.File}] = true
		}
	}
	var broken []engine.Finding
	for _, one := range base.images {
		pt := r.patch(one)
		prefix, _ := value(one.config.env, "CONNECT_PREFIX")
		env, _ := setEnv(one.config.env, pt.envOn(prefix))
		for _, f := range engine.Check(engine.Image{Env: env, Files: assetFiles(pt.assets)}, engine.Options{}) {
			if f.Severity == engine.Error && !before[kind{f.Rule, f.Variable, f.File}] && !slices.Contains(broken, f) {
				broken = append(broken, f)
			}
		}
	}
	return broken
}

// assetFiles is what a record tells of files, for a check.
func assetFiles(assets []RecordedFile) []engine.File {
	var files []engine.File
	for _, a := range assets {
		f := engine.File{Path: a.Path, Mode: 0o644, Size: a.Size, Baked: true}
		if a.Tree {
			f.Mode = fs.ModeDir | 0o755
		}
		files = append(files, f)
	}
	return files
}

// takeOff reads the bake of every platform of img, and returns the name of
// their base.
func (r *rebaked) takeOff(ctx context.Context, img *Base, remote *Remote, oldBase string) (name string, err error) {
	var below *Base
	for _, one := range img.images {
		record, err := recordOf(one.config)
		if err != nil {
			return "", fmt.Errorf("platform %s: %w", one.platform, err)
		}
		var pt patch
		switch {
		case record != nil:
			baked, err := img.unbake(one, record)
			if err != nil {
				return "", fmt.Errorf("platform %s: %w", one.platform, err)
			}
			pt, name = baked.patch, record.Base.Name
		case oldBase == "" && len(contractEnv(envMap(one.config.env))) == 0:
			return "", fmt.Errorf("platform %s: %w", one.platform, errNothingBaked())
		case oldBase == "":
			return "", fmt.Errorf("platform %s: %w", one.platform, &absentError{"it has no record of a bake: name the engine image that it was baked on as the old base"})
		default:
			if below == nil {
				if below, err = openBase(ctx, "old base", oldBase, remote, nil, func(int) {}); err != nil {
					return "", err
				}
				defer below.Close() // was opened for reading only
			}
			if pt, err = img.patchUpon(one, below); err != nil {
				return "", fmt.Errorf("platform %s: %w", one.platform, err)
			}
			name = below.name
		}
		r.platforms = append(r.platforms, one.platform)
		r.patches = append(r.patches, pt)
	}
	return name, nil
}

// publishImage publishes an image whose layers are all known.
func publishImage(ctx context.Context, img *Image, remote *Remote, opts PublishOptions, tags []string) (*Report, error) {
	opened := func(ctx context.Context, pub *publisher) (*Image, error) {
		pub.reserve(ctx, len(img.base.images))
		return img, nil
	}
	report, _, err := publish(ctx, img.changes.bakedLayers(), opened, remote, tags, opts)
	return report, err
}

func parsePlatforms(list []string) ([]v1.Platform, error) {
	var platforms []v1.Platform
	for _, s := range list {
		platform, err := v1.ParsePlatform(s)
		if err != nil || platform.OS == "" || platform.Architecture == "" {
			return nil, usagef("platform %q: want OS/ARCH[/VARIANT]", s)
		}
		platforms = append(platforms, *platform)
	}
	return platforms, nil
}

// isZstd reports whether a layer is compressed in a way that Docker's media
// types do not have.
func isZstd(desc v1.Descriptor) bool { return desc.MediaType == types.OCILayerZStd }

// errNotBelow means that an image was not made upon another.
var errNotBelow = errors.New("the old base is not below it")
