// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// guess makes the patch of an image without a record: the variables of the
// engine contract, whatever else it says.
func (x *extraction) guess(one *baseImage) error {
	env := envMap(contractEnv(envMap(one.config.env)))
	if len(env) == 0 {
		return errNothingBaked()
	}
	x.patch = patch{env: env, compression: Compression{}.String(), layerMode: LayersAuto}
	_, x.prefixGiven = env["CONNECT_PREFIX"]
	out, err := one.leftOut()
	if out != "" {
		x.note("%s", out)
	}
	return err
}

// haulForeign finds the bound files, and those beside them, as Inspect does,
// and brings them to the stage as one layer.
func (x *extraction) haulForeign(ctx context.Context) error {
	one := x.img.images[0]
	bindings, _ := engine.Decode(one.config.env)
	bound := boundFiles(bindings)
	floor := 0
	if x.record != nil {
		floor = x.record.Base.Layers
	}
	var v view
	found := func(f File) bool { _, ok := v.resolve(f.Path); return ok }
	missing := func(f File) bool { return !found(f) }
	for n := len(one.manifest.Layers) - 1; n >= floor && slices.ContainsFunc(bound, missing); n-- {
		if err := v.addLayer(ctx, x.img, one, n); err != nil {
			return err
		}
	}
	wanted := map[string]imageFile{} // by in-image path
	dirs, taken := map[string]bool{}, map[string]bool{}
	for _, f := range bound {
		at, ok := v.resolve(f.Path)
		if !ok {
			x.note("%s: no such file in the image", f.Path)
			continue
		}
		p := path.Clean("/" + f.Path)
		x.assets = append(x.assets, RecordedFile{Role: f.Role, Name: f.Name, Path: p})
		wanted[p] = at
		dirs[path.Dir(p)], taken[at.Name] = true, true
	}
	for _, name := range sortedKeys(v.files) {
		if f := v.files[name]; !taken[name] && f.sha256 != "" && fs.ValidPath(name) && dirs[path.Dir("/"+name)] {
			x.assets = append(x.assets, RecordedFile{Role: RoleAsset, Path: "/" + name})
			wanted["/"+name] = f
		}
	}
	x.patch.assetsDir = commonDir(bound)
	return x.haulWanted(ctx, wanted)
}

// commonDir is the directory of all bound files, or the default.
func commonDir(bound []File) string {
	for _, f := range bound {
		if dir := path.Dir(path.Clean("/" + f.Path)); dir != "/" {
			return dir
		}
	}
	return DefaultAssetsDir
}

// haulWanted reads the layers of the wanted files once more.
func (x *extraction) haulWanted(ctx context.Context, wanted map[string]imageFile) error {
	kept := map[int]map[string]hauledEntry{} // by layer and name
	layers := map[int]map[string]bool{}
	for _, f := range wanted {
		if layers[f.layer] == nil {
			layers[f.layer] = map[string]bool{}
		}
		layers[f.layer][f.Name] = true
	}
	for _, n := range sortedKeys(layers) {
		names := map[string]hauledEntry{}
		kept[n] = names
		err := x.img.readLayer(ctx, x.img.images[0], n, func(e layer.Entry) error {
			if !layers[n][e.Name] {
				return nil
			}
			h, err := x.keep(e)
			names[e.Name] = h // of repetitions the last one counts
			return err
		})
		if err != nil {
			return err
		}
	}
	one := hauledLayer{class: sharedClass}
	used := map[string]bool{}
	for _, p := range sortedKeys(wanted) {
		f := wanted[p]
		h, ok := kept[f.layer][f.Name]
		if !ok || h.sha256 != f.sha256 {
			return integrityf("%s is another file at a second reading", p)
		}
		if used[h.spooled] { // links may lead to one file
			var err error
			if h.spooled, err = x.stage.again(h.spooled); err != nil {
				return err
			}
		}
		used[h.spooled] = true
		h.Name = strings.TrimPrefix(p, "/")
		one.entries = append(one.entries, h)
	}
	x.layers = []hauledLayer{one}
	return nil
}
