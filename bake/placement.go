// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// A placement is what copies have put into the image so far, by name.
type placement map[string]placed

// placed is an entry and the copy that put it there.
type placed struct {
	layer.Entry
	by *copied
}

// add puts what c copies on top of what is there, as Docker does: directories
// merge, files and links are replaced. Directories that c merely needs are made
// where there are none, and otherwise left as they are.
func (p placement) add(c *copied) error {
	for _, e := range c.needs {
		was, ok := p[e.Name]
		if ok && was.Type != tar.TypeDir {
			return was.obstructs(e)
		}
		if !ok {
			p[e.Name] = placed{e, c}
		}
	}
	for _, e := range c.entries {
		was, ok := p[e.Name]
		if ok && (was.Type == tar.TypeDir) != (e.Type == tar.TypeDir) {
			return was.obstructs(e)
		}
		if ok {
			was.by.drop[e.Name] = true
		}
		p[e.Name] = placed{e, c}
	}
	return nil
}

func (was placed) obstructs(e layer.Entry) error {
	return fmt.Errorf("/%s cannot be a %s: %q makes it a %s", e.Name, entryKind(e), was.by.Instruction, entryKind(was.Entry))
}

func entryKind(e layer.Entry) string {
	switch e.Type {
	case tar.TypeDir:
		return "directory"
	case tar.TypeSymlink:
		return "symbolic link"
	}
	return "file"
}

// dirs is the directories among what was put into place.
func (p placement) dirs() map[string]layer.Entry {
	dirs := map[string]layer.Entry{}
	for name, e := range p {
		if e.Type == tar.TypeDir {
			dirs[name] = e.Entry
		}
	}
	return dirs
}

// need notes the directory dir, if it is one, and those above it as ones that
// the copy needs. In Docker a directory that is made so belongs to the owner of
// what is copied (fsutil, copy.MkdirAll).
func (c *copied) need(dir string) {
	for ; dir != "." && dir != ""; dir = path.Dir(dir) {
		if ofBase(dir) {
			continue
		}
		e := layer.DirEntry(dir)
		if c.Owner != nil && !ofSystem(dir) {
			e.UID, e.GID = c.Owner.UID, c.Owner.GID
		}
		c.needs = append(c.needs, e)
	}
	slices.Reverse(c.needs)
}

// ofSystem reports whether the directory is one of the operating system's, or
// below them. The base is likely to have it, and it is not to change hands.
func ofSystem(dir string) bool {
	top, _, _ := strings.Cut(dir, "/")
	return dir == "var/log" || slices.Contains([]string{"bin", "boot", "etc", "lib", "lib64", "sbin", "usr"}, top)
}

// checkLinks refuses a hard link of an archive whose target is replaced: it
// would be one to what replaces it.
func (c *copied) checkLinks() error {
	for _, e := range c.entries {
		if e.Type == tar.TypeLink && !c.drop[e.Name] && c.drop[e.Linkname] {
			return fmt.Errorf("/%s is a hard link to /%s, which a later instruction replaces", e.Name, e.Linkname)
		}
	}
	return nil
}
