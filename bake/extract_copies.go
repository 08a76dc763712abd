// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"fmt"
	"io/fs"
	"path"
)

// byCopy places the assets for copies, which say where each goes and what its
// owner and mode are. The environment gives them their roles.
func (a *arranging) byCopy() error {
	archives, err := a.archives()
	if err != nil {
		return err
	}
	files := map[string]string{} // on disk, by in-image path
	for i, f := range a.x.assets {
		name, there := files[f.Path]
		switch {
		case f.Role == RoleUnpack:
			name = archives[i]
			a.unpack(name, f.Path)
		case f.Tree:
			if name, err = a.copyTree(i); err != nil {
				return err
			}
		case !there:
			if name, err = a.copyFile(i); err != nil {
				return err
			}
			files[f.Path] = name
		}
		if name != "" {
			a.listed(i, name)
		}
	}
	a.describeDirs()
	return nil
}

// copied adds a copy.
func (a *arranging) copied(c Copy) {
	c.Instruction = fmt.Sprintf("copy to %s", c.Dest)
	a.spec.Copies = append(a.spec.Copies, c)
}

// copyFile places a single file, or a link in a tar.
func (a *arranging) copyFile(i int) (string, error) {
	to := a.x.assets[i].Path
	if e := a.shares[i].entries; a.x.assets[i].Role == RoleAsset && len(e) == 1 && e[0].Type == tar.TypeSymlink {
		name := a.names.take(safeName(to) + ".tar")
		a.copied(Copy{Path: name, Dest: path.Dir(to), Tree: true})
		return name, a.placeTar(i, name, path.Dir(to))
	}
	name := a.names.take(safeName(to))
	if err := a.placeFile(i, name); err != nil {
		return "", err
	}
	e := a.shares[i].entries[0]
	a.copied(Copy{Path: name, Dest: to, Owner: ownerOf(e), Mode: &e.Mode})
	return name, nil
}

// copyTree places a tree: as a directory, or as a tar where a directory on disk
// could not say all of it.
func (a *arranging) copyTree(i int) (string, error) {
	dest := a.x.assets[i].Path
	entries := a.shares[i].entries
	if len(entries) == 0 {
		a.copied(Copy{Dest: dest})
		return "", nil
	}
	name := safeName(dest)
	if !a.shares[i].stream && uniform(entries) {
		name = a.names.take(name)
		a.copied(Copy{Path: name, Dest: dest, Owner: ownerOf(firstFile(entries))})
		return name, a.placeDir(i, name)
	}
	name = a.names.take(name + ".tar")
	a.copied(Copy{Path: name, Dest: dest, Unpack: a.shares[i].stream, Tree: !a.shares[i].stream})
	return name, a.placeTar(i, name, dest)
}

// uniform reports whether entries are files with one owner and usual modes, and
// names that any file system has.
func uniform(entries []hauledEntry) bool {
	first := firstFile(entries)
	for _, e := range entries {
		switch {
		case path.Base(e.Name) != safeName(e.Name):
			return false
		case e.Type == tar.TypeDir:
		case e.Type != tar.TypeReg || !usual(e) || e.UID != first.UID || e.GID != first.GID:
			return false
		}
	}
	return true
}

// firstFile is the first of entries that is no directory, if there is one.
func firstFile(entries []hauledEntry) hauledEntry {
	for _, e := range entries {
		if e.Type != tar.TypeDir {
			return e
		}
	}
	return hauledEntry{}
}

// ownerOf is an entry's owner; nil is root.
func ownerOf(e hauledEntry) *Owner {
	if e.UID == 0 && e.GID == 0 {
		return nil
	}
	return &Owner{e.UID, e.GID}
}

// octal is a mode as tars and bake files have it.
func octal(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	for flag, bit := range map[fs.FileMode]int64{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			mode |= bit
		}
	}
	return mode
}
