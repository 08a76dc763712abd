// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// RebindOptions say what Rebind changes; the zero value changes nothing.
type RebindOptions struct {
	// FS holds the files named below; nil is the working directory, opened
	// through an os.Root.
	FS      fs.FS
	Schemas map[string]string // schema name to Avro schema file, to replace or add
	Streams map[int]string    // slot to stream descriptor file, to replace or add
	// ConnectPrefix is the new base URL of Connect; empty keeps the image's.
	ConnectPrefix string
	Env           map[string]string // further variables to set
	Labels        map[string]string // to set
	// Platforms chooses platforms, each OS/ARCH[/VARIANT]; none chooses those
	// of the image.
	Platforms []string
	// Allow, Strict and NoCheck are those of Spec and Options.
	Allow   []string
	Strict  bool
	NoCheck bool
	// SBOM and Provenance are those of Options.
	SBOM       SBOMFormat
	Provenance *Provenance
	// Progress hears of every blob on its way, from several goroutines; nil is
	// for nobody.
	Progress func(Event)
}

// A ReportAsset is a baked file of an image that was changed.
type ReportAsset struct {
	InspectedFile
	Change AssetChange `json:"change"`
	// SameLayer is for a file whose layer is one of the image's own, by digest.
	SameLayer bool `json:"sameLayer"`
}

// AssetChange is what became of a baked file.
type AssetChange string

// The changes.
const (
	Unchanged AssetChange = "unchanged" // by its digest; its layer may be another
	Changed   AssetChange = "changed"
	Added     AssetChange = "added"
	Removed   AssetChange = "removed"
)

// Rebind changes what is bound in the image at ref and publishes the result at
// every location of tags. Only the layers that hold a changed file are made
// again; all others stay where they are. The report's Assets prove what has not
// changed. The contract is checked on the result, as far as small layers and the
// new files tell, before anything is sent.
//
// An image without a record gets the new files as a further layer. The error is
// a CheckError where the check forbids the result, ErrUsage for an image whose
// platforms were baked differently, and ErrIntegrity for a record that does not
// fit its image.
func Rebind(ctx context.Context, ref string, remote *Remote, opts RebindOptions, tags ...string) (*Report, error) {
	remote = remote.orDefault()
	ctx, _ = registry.Counting(ctx) // what is read counts too
	chosen, err := parsePlatforms(opts.Platforms)
	if err != nil {
		return nil, err
	}
	if err := knownRules(opts.Allow); err != nil {
		return nil, err
	}
	if _, taken := opts.Labels[RecordLabel]; taken {
		return nil, usagef("label %s is set by the bake itself", RecordLabel)
	}
	toLayout, err := anyLayout(tags)
	if err != nil {
		return nil, err
	}
	if opts.FS == nil {
		root, err := os.OpenRoot(".")
		if err != nil {
			return nil, err
		}
		defer root.Close() // was opened for reading only
		opts.FS = root.FS()
	}
	img, err := open(ctx, "image", ref, remote, chosen, func(int) {})
	if err != nil {
		return nil, err
	}
	defer img.Close() // was opened for reading only
	r, err := newRebinding(ctx, img, opts)
	if err != nil {
		return nil, &sideError{img.side, err}
	}
	changes := &rebaked{toLayout: toLayout, of: img}
	if err := possible(r.findings); err != nil {
		return nil, err
	}
	if !opts.NoCheck {
		if err := verdict(r.findings, opts.Strict); err != nil {
			return nil, err
		}
	}
	layers, err := r.layers(ctx)
	if err == nil {
		err = r.prove(ctx, layers)
	}
	if err != nil {
		return nil, &sideError{img.side, err}
	}
	for i, one := range r.base.images {
		pt := r.patches[i]
		pt.layers, pt.assets, pt.assetsDir = layers, r.recorded(), r.dir
		pt.env, pt.labels = r.env(pt.env), maps.Clone(pt.labels)
		if pt.labels == nil {
			pt.labels = map[string]string{}
		}
		maps.Copy(pt.labels, opts.Labels)
		changes.platforms = append(changes.platforms, one.platform)
		changes.patches = append(changes.patches, pt)
	}
	// As of a bake, the image of one platform that was asked for is no index.
	single := len(r.base.images) == 1 && (img.index == nil || len(opts.Platforms) > 0)
	result := &Image{base: r.base, changes: changes, findings: r.findings, single: single}
	report, err := publishImage(ctx, result, remote, PublishOptions{opts.SBOM, opts.Provenance, opts.Progress}, tags)
	if err != nil {
		return nil, err
	}
	report.Assets = r.report(layers)
	if !r.recordedBefore {
		report.Notes = append(report.Notes, fmt.Sprintf("%s has no record of all of its bake: it counts as the base of what was bound now, and its own files are not listed", img.location))
	}
	return report, nil
}

// A rebinding is an image taken apart and what is to be changed in it.
type rebinding struct {
	img            *Base
	base           *Base
	opts           RebindOptions
	patches        []patch // of the image's platforms, all alike
	recordedBefore bool    // whether the image had a record
	bindings       engine.Bindings
	dir            string // assets directory
	items          []*item
	fresh          map[*item]RecordedFile // the items that are new, with their digests
	held           map[int]heldLayer      // small layers of the bake, by number
	findings       []engine.Finding
}

func newRebinding(ctx context.Context, img *Base, opts RebindOptions) (*rebinding, error) {
	r := &rebinding{img: img, opts: opts, fresh: map[*item]RecordedFile{}, held: map[int]heldLayer{}}
	if err := r.takeOff(); err != nil {
		return nil, err
	}
	var found []engine.Finding
	r.bindings, found = engine.Decode(img.images[0].config.env)
	if len(contractEnv(envMap(img.images[0].config.env))) == 0 {
		return nil, fmt.Errorf("nothing is baked into it: %w", ErrNotFound)
	}
	if err := possible(found); err != nil {
		return nil, fmt.Errorf("what is bound in it cannot be read: %w", err)
	}
	r.dir = r.patches[0].assetsDir
	if r.dir == "" {
		r.dir = DefaultAssetsDir
		if r.bindings.Model != "" {
			r.dir = path.Dir(r.bindings.Model)
		}
	}
	if err := r.hold(ctx); err != nil {
		return nil, err
	}
	contents, err := r.list(ctx)
	if err != nil {
		return nil, err
	}
	r.findings = allowed(r.check(contents), opts.Allow)
	return r, nil
}

// takeOff takes the bake off every platform of the image, or leaves an image
// without a record as it is.
func (r *rebinding) takeOff() error {
	base, recorded, err := r.img.unbaked()
	if err != nil {
		return err
	}
	r.base, r.recordedBefore = base, recorded
	if !recorded {
		for range base.images {
			r.patches = append(r.patches, patch{compression: Compression{}.String(), layerMode: LayersAuto})
		}
		return nil
	}
	for _, one := range r.img.images {
		record, err := recordOf(one.config)
		if err != nil {
			return err
		}
		baked, err := r.img.unbake(one, record)
		if err != nil {
			return err
		}
		r.patches = append(r.patches, baked.patch)
		if !samePatch(r.patches[0], baked.patch) {
			return usagef("its platforms %s and %s differ in what is baked: choose one platform", r.img.images[0].platform, one.platform)
		}
	}
	return nil
}

// env is the variables that the result sets: those of the bake, and what
// changes.
func (r *rebinding) env(was map[string]string) map[string]string {
	env := maps.Clone(was)
	if env == nil {
		env = map[string]string{}
	}
	now := envMap(r.bindings.Env())
	set := func(key string, changed bool) {
		if changed {
			env[key] = now[key]
		}
	}
	set("SCHEMAS", len(r.opts.Schemas) > 0)
	set("STREAMS", len(r.opts.Streams) > 0)
	set("CONNECT_PREFIX", r.opts.ConnectPrefix != "")
	maps.Copy(env, r.opts.Env)
	return env
}

// check applies the engine contract to the result.
func (r *rebinding) check(contents []engine.File) []engine.Finding {
	one := r.base.images[0]
	prefix, _ := value(one.config.env, "CONNECT_PREFIX")
	env, _ := setEnv(one.config.env, patch{env: r.env(r.patches[0].env)}.envOn(prefix))
	if len(r.patches[0].assets) == 0 {
		// What else lies in the directories of the new files is not known.
		for i := range contents {
			contents[i].Baked = false
		}
	}
	img := engine.Image{Env: env, Base: r.base.name, Files: contents}
	if contractIn(r.opts.Env) {
		return engine.Check(img, engine.Options{})
	}
	bindings := r.bindings
	bindings.ConnectPrefix, _ = value(env, "CONNECT_PREFIX")
	img.Bindings = &bindings
	return engine.Check(img, engine.Options{})
}

// contractIn reports whether env speaks of the engine contract.
func contractIn(env map[string]string) bool { return len(contractEnv(env)) > 0 }

// recorded is the assets of the result.
func (r *rebinding) recorded() []RecordedFile {
	files := make([]RecordedFile, len(r.items))
	for i, it := range r.items {
		files[i] = r.recordedItem(it)
	}
	return files
}

func (r *rebinding) recordedItem(it *item) RecordedFile {
	if f, ok := r.fresh[it]; ok {
		return f
	}
	return it.recorded
}

var errCollision = errors.New("is baked already, with other content: rename the new file")
