// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// Role is the part that a file plays in a bake.
type Role string

// The roles, and with them the classes of layers, from often to rarely changed.
const (
	RoleStream     Role = "stream"
	RoleSchema     Role = "schema"
	RoleModel      Role = "model"
	RoleAsset      Role = "asset"
	RoleAttachment Role = "attachment"
	RoleUnpack     Role = "unpack"
)

// File is one file, directory or archive of a Spec and its place in the image.
type File struct {
	Role   Role   `json:"role"`
	Name   string `json:"name,omitempty"`  // schema name or slot
	Path   string `json:"path"`            // in-image path
	Source string `json:"source"`          // name in Spec.FS
	Size   int64  `json:"size"`            // in bytes, uncompressed
	Files  int    `json:"files,omitempty"` // how many files, of a directory or archive
}

// item is a File with what it takes to pack it.
type item struct {
	File
	tree    bool           // a directory or archive: recorded as one
	entries []layer.Entry  // in order of name
	stream  layer.Entries  // of an unpacked archive, after entries
	archive layer.Identity // of that archive
	members []string       // names of the files and links, without leading slash

	recorded RecordedFile // of an item that an image has already
}

// lister turns a Spec's file names into items.
type lister struct {
	ctx      context.Context // of the one call of list
	fsys     fs.FS
	dir      string // assets directory
	items    []*item
	dirs     map[string]layer.Entry // by name; those that are not just 0755 and root's
	contents []engine.File          // for the check
	errs     []error
}

// list finds the items of spec, in a fixed order, and what the check is to look
// at.
func list(ctx context.Context, spec Spec, bindings engine.Bindings) (*lister, error) {
	l := &lister{ctx: ctx, fsys: spec.FS, dir: spec.AssetsDir}
	if spec.Model != "" {
		l.bound(RoleModel, "", spec.Model)
	}
	for _, name := range slices.Sorted(maps.Keys(spec.Schemas)) {
		l.bound(RoleSchema, name, spec.Schemas[name])
	}
	for _, slot := range slices.Sorted(maps.Keys(spec.Streams)) {
		l.bound(RoleStream, strconv.Itoa(slot), spec.Streams[slot])
	}
	for _, file := range spec.Attachments {
		l.bound(RoleAttachment, "", file)
	}
	for _, archive := range slices.Sorted(maps.Keys(spec.Unpack)) {
		l.unpack(archive, spec.Unpack[archive])
	}
	for _, asset := range spec.Assets {
		l.asset(asset)
	}
	l.copies(spec.Copies, bindings)
	for name, d := range spec.Dirs {
		e := layer.DirEntry(strings.TrimPrefix(name, "/"))
		e.Mode, e.UID, e.GID = d.Mode&keptMode, d.Owner.UID, d.Owner.GID
		l.dirs[e.Name] = e
	}
	return l, errors.Join(l.errs...)
}

func (l *lister) fail(what string, err error) {
	l.errs = append(l.errs, &fileError{what, err})
}

// place is where the bound file goes: its base name in the assets directory.
func place(dir, file string) string { return path.Join(dir, path.Base(file)) }

// bound lists a file that an environment variable names.
func (l *lister) bound(role Role, name, file string) {
	it := &item{File: File{Role: role, Name: name, Path: place(l.dir, file), Source: file}}
	info, err := fs.Stat(l.fsys, file)
	switch {
	case err != nil:
		l.fail(describe(role, name)+" "+file, err)
		return
	case info.IsDir():
		// For the check to find: rule ENV-09.
		dir := layer.DirEntry(strings.TrimPrefix(it.Path, "/"))
		l.contents = append(l.contents, content(dir, nil, file))
		return
	case !info.Mode().IsRegular():
		l.fail(describe(role, name)+" "+file, errors.New("not a regular file"))
		return
	}
	it.Size = info.Size()
	dest := strings.TrimPrefix(it.Path, "/")
	it.entries = []layer.Entry{layer.FileEntry(l.fsys, file, info, dest)}
	it.members = []string{dest}
	l.contents = append(l.contents, content(it.entries[0], l.fsys, file))
	l.items = append(l.items, it)
}

// describe names a bound file as its user did.
func describe(role Role, name string) string {
	if name == "" {
		return string(role)
	}
	return string(role) + " " + name
}

// under is dest below the assets directory, unless it is absolute.
func (l *lister) under(dest string) string {
	if path.IsAbs(dest) {
		return path.Clean(dest)
	}
	return path.Join(l.dir, dest)
}

func (l *lister) asset(a Asset) {
	dest := l.under(a.Dest)
	if a.Dest == "" || strings.HasSuffix(a.Dest, "/") {
		dest = path.Join(dest, path.Base(path.Clean(a.Path)))
	}
	entries, err := layer.Walk(l.fsys, path.Clean(a.Path), strings.TrimPrefix(dest, "/"))
	if err != nil {
		l.fail("asset", err)
		return
	}
	if len(entries) == 1 && entries[0].Name == "" {
		l.errs = append(l.errs, usagef("asset %s: destination %q is the root directory", a.Path, a.Dest))
		return
	}
	it := &item{File: File{Role: RoleAsset, Path: dest, Source: path.Clean(a.Path)}, entries: entries}
	for _, e := range entries {
		l.contents = append(l.contents, content(e, l.fsys, below(e.Name, dest, path.Clean(a.Path))))
		if e.Type == tar.TypeDir {
			it.tree = true
			continue
		}
		it.Size += e.Size
		it.members = append(it.members, e.Name)
	}
	if it.tree {
		it.Files = len(it.members)
	}
	l.items = append(l.items, it)
}

func (l *lister) unpack(archive, dir string) {
	dest := l.under(dir)
	members, entries, err := layer.Archive(l.ctx, l.fsys, archive, strings.TrimPrefix(dest, "/"), layer.ArchiveOptions{})
	if err != nil {
		l.fail("unpack", err)
		return
	}
	it := &item{File: File{Role: RoleUnpack, Path: dest, Source: archive}, tree: true, stream: entries, archive: identityOf(l.fsys, archive)}
	for _, m := range members {
		e := layer.Entry{Name: m.Name, Type: m.Type, Mode: m.Mode, Linkname: m.Linkname, Size: m.Size}
		l.contents = append(l.contents, content(e, nil, archive))
		if m.Type == tar.TypeDir {
			continue
		}
		it.Size += m.Size
		it.members = append(it.members, m.Name)
	}
	it.Files = len(it.members)
	l.items = append(l.items, it)
}

// identityOf is the identity of a file, zero where it cannot be told.
func identityOf(fsys fs.FS, name string) layer.Identity {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return layer.Identity{}
	}
	return layer.IdentityOf(info)
}
