// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// arranging puts the assets into the stage and says so in a Spec.
type arranging struct {
	x      *extraction
	shares []share
	dirs   map[string]hauledEntry // of all layers, by name
	names  diskNames
	spec   Spec
	files  []ExtractedFile
}

// arrange gives every asset its place on disk.
func (x *extraction) arrange(ctx context.Context) (*arranging, error) {
	a := &arranging{x: x, dirs: map[string]hauledEntry{}, names: newDiskNames()}
	for _, l := range x.layers {
		for _, e := range l.entries {
			if e.Type == tar.TypeDir {
				a.dirs[e.Name] = e
			}
		}
	}
	if err := a.settle(); err != nil {
		return nil, err
	}
	members, err := x.members()
	if err != nil {
		return nil, err
	}
	if a.shares, err = x.split(members, func(i int) bool { return x.assets[i].Role == RoleUnpack }); err == nil && a.conventional() {
		return a, a.byRole()
	}
	if a.shares, err = x.splitCopies(ctx, members); err != nil {
		return nil, err
	}
	return a, a.byCopy()
}

// settle fills in all of the Spec that is not about files.
func (a *arranging) settle() error {
	x, pt := a.x, a.x.patch
	a.spec = Spec{
		FS: x.stage.out.FS(), AssetsDir: pt.assetsDir, Layers: pt.layerMode, Created: pt.created,
		Env: maps.Clone(pt.env), Labels: maps.Clone(pt.labels), Annotations: maps.Clone(pt.annotations),
		Base: x.baseRef(), Platforms: x.platforms(),
	}
	var err error
	if a.spec.Compression, err = ParseCompression(pt.compression); err == nil {
		_, err = ParseLayerMode(string(pt.layerMode))
	}
	if err != nil {
		return integrityf("its record: %v", err)
	}
	if prefix := a.spec.Env["CONNECT_PREFIX"]; prefix != "" {
		delete(a.spec.Env, "CONNECT_PREFIX")
		if x.prefixGiven {
			a.spec.ConnectPrefix = prefix
		}
	}
	if x.record == nil {
		return nil
	}
	a.baseAnnotations()
	a.spec.Settings = x.settings()
	converted := isDocker(x.record.Base.MediaType) && !isDocker(x.img.images[0].desc.MediaType)
	if converted && a.spec.Compression.Algorithm != Zstd && len(a.spec.Annotations) == 0 {
		a.spec.OCI = true
	}
	return nil
}

// baseAnnotations keeps annotations of the bake that are in place of those
// that name the base.
func (a *arranging) baseAnnotations() {
	r, now := a.x.record, a.x.img.images[0].manifest.Annotations
	for key, own := range map[string]string{baseNameAnnotation: r.Base.Name, baseDigestAnnotation: r.Base.Digest.String()} {
		if slices.Contains(r.Annotations.Set, key) && now[key] != own {
			a.spec.Annotations[key] = now[key]
		}
	}
}

// settings is what the bake set in the config.
func (x *extraction) settings() Settings {
	var s Settings
	config := x.img.images[0].config.config
	text := map[string]*string{"User": &s.User, "WorkingDir": &s.WorkingDir, "StopSignal": &s.StopSignal}
	list := map[string]*[]string{"Entrypoint": &s.Entrypoint, "Cmd": &s.Cmd}
	sets := map[string]*[]string{"ExposedPorts": &s.ExposedPorts, "Volumes": &s.Volumes}
	for key := range x.record.Settings {
		var err error
		switch {
		case text[key] != nil:
			err = config.get(key, text[key])
		case list[key] != nil:
			if err = config.get(key, list[key]); *list[key] == nil {
				*list[key] = []string{}
			}
		case sets[key] != nil:
			set := map[string]json.RawMessage{}
			err = config.get(key, &set)
			*sets[key] = sortedKeys(set) // to set again what the base has changes nothing
		default:
			err = fmt.Errorf("no bake sets it")
		}
		if err != nil {
			x.note("config member %s cannot be said in a bake file: %v", key, err)
		}
	}
	return s
}

// baseRef names the base by digest, or is empty.
func (x *extraction) baseRef() string {
	if x.record == nil {
		m := x.img.images[0].manifest.Annotations
		if m[baseNameAnnotation] == "" || m[baseDigestAnnotation] == "" || strings.Contains(m[baseNameAnnotation], "@") {
			return m[baseNameAnnotation]
		}
		return m[baseNameAnnotation] + "@" + m[baseDigestAnnotation]
	}
	base := x.record.Base
	digest := base.Digest
	if base.Index != nil {
		digest = base.Index.Digest
	}
	if base.Name == "" || strings.Contains(base.Name, "@") {
		return base.Name
	}
	return base.Name + "@" + digest.String()
}

// platforms is the platforms to choose of the base.
func (x *extraction) platforms() []string {
	ofIndex := x.chosen || x.record != nil && x.record.Base.Index != nil
	if !ofIndex || x.img.index != nil && len(x.img.images) == 1 {
		return nil
	}
	var all []string
	for _, one := range x.img.images {
		if p := one.platform.String(); p != "" {
			all = append(all, p)
		}
	}
	return all
}

// conventional reports whether roles and places say all of the bake: bound
// files are in the assets directory, and everything is owned by root, with the
// usual modes.
func (a *arranging) conventional() bool {
	bound := engine.Bindings{Schemas: map[string]string{}, Streams: map[int]string{}}
	var last *item
	for _, f := range a.x.assets {
		it := &item{File: File{Role: f.Role, Name: f.Name}}
		if f.Role != RoleAsset && f.Role != RoleUnpack {
			if f.Tree || place(a.spec.AssetsDir, f.Path) != f.Path || !onDisk(f.Path) || !bind(&bound, f) {
				return false
			}
		}
		if last != nil && comesBefore(it, last) {
			return false
		}
		last = it
	}
	for _, e := range bound.Env() {
		k, v, _ := strings.Cut(e, "=")
		if was, ok := a.x.patch.env[k]; !ok || was != v {
			return false
		}
	}
	if a.x.record == nil {
		return true // owners and modes become what is usual
	}
	for i, f := range a.x.assets {
		for _, e := range a.shares[i].entries {
			link := e.Type == tar.TypeSymlink || e.Type == tar.TypeLink
			if e.UID != 0 || e.GID != 0 || !usual(e) || link && f.Role != RoleUnpack {
				return false
			}
		}
	}
	return true
}

// usual reports whether an entry has the mode that a bake gives it.
func usual(e hauledEntry) bool {
	switch e.Type {
	case tar.TypeDir:
		return true // see Spec.Dirs
	case tar.TypeSymlink:
		return e.Mode == 0o777
	}
	return e.Mode == 0o644 || e.Mode == 0o755
}

// describeDirs says which directories differ from what they would be. Those
// near copies with an owner are all said.
func (a *arranging) describeDirs() {
	for _, name := range sortedKeys(a.dirs) {
		e := a.dirs[name]
		near := slices.ContainsFunc(a.spec.Copies, func(c Copy) bool {
			_, above := within(strings.Trim(c.Dest, "/"), name)
			_, below := within(name, c.Dest)
			return c.Owner != nil && (above || below)
		})
		if e.Mode == 0o755 && e.UID == 0 && e.GID == 0 && !near {
			continue
		}
		if a.spec.Dirs == nil {
			a.spec.Dirs = map[string]Dir{}
		}
		a.spec.Dirs["/"+name] = Dir{Owner: Owner{e.UID, e.GID}, Mode: e.Mode}
	}
}

// diskMode is the mode of a file on disk: whether it can be executed.
func diskMode(e hauledEntry) fs.FileMode {
	if e.Mode&0o100 != 0 {
		return 0o755
	}
	return 0o644
}
