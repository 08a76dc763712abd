// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// bind adds a file to bindings.
func bind(b *engine.Bindings, f RecordedFile) bool {
	switch f.Role {
	case RoleModel:
		b.Model = f.Path
	case RoleSchema:
		b.Schemas[f.Name] = f.Path
	case RoleStream:
		slot, err := strconv.Atoi(f.Name)
		if err != nil {
			return false
		}
		b.Streams[slot] = f.Path
	case RoleAttachment:
		b.Attachments = append(b.Attachments, f.Path)
	}
	return true
}

// byRole places the assets by their roles. Bound files keep their base names,
// by which they are baked.
func (a *arranging) byRole() error {
	a.describeDirs()
	archives, err := a.archives()
	if err != nil {
		return err
	}
	bound := engine.Bindings{Schemas: map[string]string{}, Streams: map[int]string{}}
	files := map[string]string{} // on disk, by in-image path
	trees, err := a.trees(files)
	if err != nil {
		return err
	}
	for i, f := range a.x.assets {
		name, there := files[f.Path]
		switch {
		case f.Role == RoleUnpack:
			name = archives[i]
			a.unpack(name, f.Path)
		case f.Tree:
			name = trees[i]
		case !there:
			name = path.Base(f.Path)
			if f.Role == RoleAsset {
				name = safeName(f.Path)
			}
			name = a.names.take(name)
			if err := a.placeFile(i, name); err != nil {
				return err
			}
			files[f.Path] = name
		}
		bind(&bound, RecordedFile{Role: f.Role, Name: f.Name, Path: name})
		if f.Role == RoleAsset {
			a.spec.Assets = append(a.spec.Assets, a.asset(name, f.Path))
		}
		a.listed(i, name)
	}
	a.spec.Model, a.spec.Schemas, a.spec.Streams, a.spec.Attachments = bound.Model, bound.Schemas, bound.Streams, bound.Attachments
	for _, e := range bindingsOf(a.spec).Env() {
		k, _, _ := strings.Cut(e, "=")
		delete(a.spec.Env, k)
	}
	return nil
}

// trees places the directories. Of a file that is baked by itself as well, from
// the same source, they have the one on disk.
func (a *arranging) trees(files map[string]string) (map[int]string, error) {
	singles := map[string]hauledEntry{}
	for i, f := range a.x.assets {
		if !f.Tree && len(a.shares[i].entries) > 0 {
			singles[f.Path] = a.shares[i].entries[0]
		}
	}
	names := map[int]string{}
	for i, f := range a.x.assets {
		if !f.Tree || f.Role != RoleAsset {
			continue
		}
		names[i] = a.names.take(safeName(f.Path))
		if err := a.placeDir(i, names[i]); err != nil {
			return nil, err
		}
		for _, e := range a.shares[i].entries {
			if same, ok := singles["/"+e.Name]; ok && same.sha256 == e.sha256 && same.Mode == e.Mode {
				below, _ := within(e.Name, f.Path)
				files["/"+e.Name] = path.Join(names[i], below)
			}
		}
	}
	return names, nil
}

// unpack adds an archive to unpack.
func (a *arranging) unpack(name, to string) {
	if a.spec.Unpack == nil {
		a.spec.Unpack = map[string]string{}
	}
	a.spec.Unpack[name] = to
}

// archives writes the archives to unpack, and returns their names, which sort
// in the order of the bake.
func (a *arranging) archives() (map[int]string, error) {
	var unpacked []int
	for i, f := range a.x.assets {
		if f.Role == RoleUnpack {
			unpacked = append(unpacked, i)
		}
	}
	names := map[int]string{}
	digits := len(strconv.Itoa(len(unpacked)))
	for n, i := range unpacked {
		name := safeName(a.x.assets[i].Path) + ".tar"
		if len(unpacked) > 1 {
			name = fmt.Sprintf("%0*d-%s", digits, n+1, name)
		}
		names[i] = a.names.take(name) // they are the first
		if err := a.placeTar(i, names[i], a.x.assets[i].Path); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// asset says where what is on disk belongs.
func (a *arranging) asset(name, to string) Asset {
	switch {
	case place(a.spec.AssetsDir, name) == to:
		return Asset{Path: name}
	case to == "/":
		return Asset{Path: name, Dest: "/."} // "/" alone would keep the name
	}
	return Asset{Path: name, Dest: to}
}

// listed reports a file.
func (a *arranging) listed(i int, name string) {
	f := a.x.assets[i]
	if f.SHA256 == "" { // found, not recorded
		for _, e := range a.shares[i].entries {
			f.Size += e.Size
		}
	}
	a.files = append(a.files, ExtractedFile{File: name, Role: f.Role, Name: f.Name, Path: f.Path, Size: f.Size})
}

// placeFile places a single file.
func (a *arranging) placeFile(i int, name string) error {
	entries := a.shares[i].entries
	if len(entries) != 1 || entries[0].Type != tar.TypeReg {
		return integrityf("%s is no file", a.x.assets[i].Path)
	}
	return a.x.stage.place(entries[0].spooled, name, diskMode(entries[0]))
}

// placeDir places a tree as a directory.
func (a *arranging) placeDir(i int, name string) error {
	if err := a.x.stage.mkdir(name); err != nil {
		return err
	}
	for _, e := range a.shares[i].entries {
		below, _ := within(e.Name, a.x.assets[i].Path)
		at := path.Join(name, below)
		var err error
		if e.Type == tar.TypeDir {
			err = a.x.stage.mkdir(at)
		} else {
			err = a.x.stage.place(e.spooled, at, diskMode(e))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
