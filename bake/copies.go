// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// copied is a Copy with its entries.
type copied struct {
	Copy
	needs   []layer.Entry   // directories to be there before, from the top
	dir     []layer.Entry   // the last of needs, if the copy is into it
	entries []layer.Entry   // in order of name; without content for an archive
	stream  layer.Entries   // of an archive, with content
	drop    map[string]bool // names that a later copy replaces
}

// copies lists what the Spec's copies leave in the image, as items: each file
// that bindings name by itself, the rest of each copy as one.
func (l *lister) copies(copies []Copy, bindings engine.Bindings) {
	var all []*copied
	for _, c := range copies {
		one, err := l.copy(c)
		if err != nil {
			l.fail(c.Instruction, err)
			continue
		}
		all = append(all, one)
	}
	there := placement{}
	for _, c := range all {
		if err := there.add(c); err != nil {
			l.fail(c.Instruction, err)
		}
	}
	l.dirs = there.dirs()
	roles := rolesOf(bindings)
	for _, c := range all {
		if err := c.checkLinks(); err != nil {
			l.fail(c.Instruction, err)
		}
		l.items = append(l.items, c.items(roles)...)
		for _, e := range slices.Concat(c.dir, c.entries) {
			if c.drop[e.Name] {
				continue
			}
			if c.stream != nil || c.Path == "" || c.Tree {
				f := content(e, nil, c.Path)
				f.Open = e.Open // of a tree; an archive's members are not at hand
				l.contents = append(l.contents, f)
			} else {
				l.contents = append(l.contents, content(e, c.FS, below(e.Name, c.Dest, c.Path)))
			}
		}
	}
}

// copy lists one Copy.
func (l *lister) copy(c Copy) (*copied, error) {
	if c.FS == nil {
		c.FS = l.fsys
	}
	one := &copied{Copy: c, drop: map[string]bool{}}
	dest := strings.TrimPrefix(path.Clean("/"+c.Dest), "/")
	if strings.Contains("/"+dest, "/.wh.") {
		return one, fmt.Errorf("%q: a name in .wh.* would delete files of the base image", c.Dest)
	}
	isDir := c.Path == "" || c.Unpack || c.Tree
	var err error
	switch {
	case c.Path == "":
	case c.Unpack:
		var members []layer.Member
		members, one.stream, err = layer.Archive(l.ctx, c.FS, c.Path, dest, layer.ArchiveOptions{AsIs: true})
		for _, m := range members {
			one.entries = append(one.entries, layer.Entry{Name: m.Name, Type: m.Type, Mode: m.Mode, UID: m.UID, GID: m.GID, Linkname: m.Linkname, Size: m.Size})
		}
		one.stream = one.changed(one.stream)
	case c.Tree:
		one.entries, err = layer.Tree(l.ctx, c.FS, c.Path, dest)
	default:
		one.entries, err = layer.WalkAsIs(c.FS, c.Path, dest, c.Skip)
		if len(one.entries) > 0 && one.entries[0].Name == dest && one.entries[0].Type == tar.TypeDir {
			// Its content is copied, not the directory itself.
			isDir, one.entries = true, one.entries[1:]
		}
	}
	one.entries = slices.DeleteFunc(one.entries, func(e layer.Entry) bool { return e.Type == tar.TypeDir && ofBase(e.Name) })
	for i := range one.entries {
		one.change(&one.entries[i])
	}
	if !isDir {
		one.need(path.Dir(dest))
		return one, err
	}
	one.need(dest)
	if n := len(one.needs); n > 0 && one.needs[n-1].Name == dest {
		if c.Mode != nil {
			one.needs[n-1].Mode = *c.Mode
		}
		one.dir = one.needs[n-1:]
	}
	return one, err
}

// change gives an entry the owner and mode that the Copy asks for.
func (c *copied) change(e *layer.Entry) {
	if c.Owner != nil {
		e.UID, e.GID = c.Owner.UID, c.Owner.GID
	}
	if c.Mode != nil && e.Type != tar.TypeSymlink {
		e.Mode = *c.Mode & keptMode
	}
}

// keptMode is the part of a mode that a layer holds.
const keptMode = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// changed is the entries of an archive without those that a later copy
// replaces.
func (c *copied) changed(stream layer.Entries) layer.Entries {
	return func(yield func(layer.Entry, error) bool) {
		for e, err := range stream {
			if err == nil && c.drop[e.Name] {
				continue
			}
			c.change(&e)
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// items makes the copy's items.
func (c *copied) items(roles map[string][]File) []*item {
	rest := &item{File: File{Role: RoleAsset, Path: path.Clean("/" + c.Dest), Source: c.Path}, tree: true, stream: c.stream}
	if c.stream != nil {
		rest.archive = identityOf(c.FS, c.Path)
	}
	if rest.Source == "" {
		rest.Source = c.Instruction
	}
	rest.entries = append(rest.entries, c.dir...)
	var items []*item
	for _, e := range c.entries {
		if c.drop[e.Name] {
			continue
		}
		bound := roles["/"+e.Name]
		if e.Type != tar.TypeReg || len(bound) == 0 || c.stream != nil {
			rest.add(e, c.stream != nil)
			continue
		}
		for _, f := range bound {
			f.Source, f.Size = below(e.Name, c.Dest, c.Path), e.Size
			items = append(items, &item{File: f, entries: []layer.Entry{e}, members: []string{e.Name}})
		}
	}
	if len(rest.entries) > 0 || len(rest.members) > 0 {
		rest.Files = len(rest.members)
		if c.stream == nil && len(rest.entries) == 1 && rest.entries[0].Type != tar.TypeDir {
			// One file is itself, whatever directory it was copied to.
			rest.tree, rest.Files, rest.Path = false, 0, "/"+rest.entries[0].Name
		}
		items = append(items, rest)
	}
	return items
}

// add puts an entry into the item; streamed entries come with their stream.
func (it *item) add(e layer.Entry, streamed bool) {
	if !streamed {
		it.entries = append(it.entries, e)
	}
	if e.Type != tar.TypeDir {
		it.Size += e.Size
		it.members = append(it.members, e.Name)
	}
}

// rolesOf is what bindings say about in-image paths.
func rolesOf(b engine.Bindings) map[string][]File {
	roles := map[string][]File{}
	for _, f := range boundFiles(b) {
		roles[f.Path] = append(roles[f.Path], f)
	}
	return roles
}
