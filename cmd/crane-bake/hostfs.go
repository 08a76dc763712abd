// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// hostFS is the host's files under the names that the user gave them, so that
// every message names a file as its user did. A name may be absolute or begin
// with "..".
//
// Files that a flag names are opened as they are. Names below a tree (the
// directory of a bake file, a directory given as an asset) are opened through
// an os.Root: no symbolic link leads out of the tree.
type hostFS struct {
	files map[string]bool
	trees map[string]*os.Root
}

func newHostFS() *hostFS {
	return &hostFS{files: map[string]bool{}, trees: map[string]*os.Root{}}
}

// add makes the file or directory that a flag names readable, and returns its
// name in the file system.
func (h *hostFS) add(typed string) (string, error) {
	name := path.Clean(filepath.ToSlash(typed))
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return name, h.addTree(name)
	}
	h.files[name] = true
	return name, nil
}

// addTree makes everything below dir readable, without a way out.
func (h *hostFS) addTree(dir string) error {
	if h.trees[dir] != nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	h.trees[dir] = root
	return nil
}

// tree finds the innermost tree that holds name, and name's place in it.
func (h *hostFS) tree(name string) (*os.Root, string) {
	if h.files[name] {
		return nil, ""
	}
	for dir := name; ; dir = path.Dir(dir) {
		if root := h.trees[dir]; root != nil {
			rel := strings.TrimPrefix(strings.TrimPrefix(name, dir), "/")
			if dir == "." && name != "." {
				rel = name
			}
			if rel == "" {
				rel = "."
			}
			return root, rel
		}
		if dir == path.Dir(dir) || path.Base(dir) == ".." {
			return nil, ""
		}
	}
}

func (h *hostFS) Open(name string) (fs.File, error) {
	if root, rel := h.tree(name); root != nil {
		f, err := root.FS().Open(rel)
		return f, named(err, name)
	}
	return os.Open(filepath.FromSlash(name))
}

func (h *hostFS) Stat(name string) (fs.FileInfo, error) {
	if root, rel := h.tree(name); root != nil {
		info, err := fs.Stat(root.FS(), rel)
		return info, named(err, name)
	}
	return os.Stat(filepath.FromSlash(name))
}

func (h *hostFS) ReadDir(name string) ([]fs.DirEntry, error) {
	if root, rel := h.tree(name); root != nil {
		entries, err := fs.ReadDir(root.FS(), rel)
		return entries, named(err, name)
	}
	return os.ReadDir(filepath.FromSlash(name))
}

func (h *hostFS) Lstat(name string) (fs.FileInfo, error) {
	if root, rel := h.tree(name); root != nil {
		info, err := root.Lstat(rel)
		return info, named(err, name)
	}
	return os.Lstat(filepath.FromSlash(name))
}

func (h *hostFS) ReadLink(name string) (string, error) {
	if root, rel := h.tree(name); root != nil {
		target, err := root.Readlink(rel)
		return target, named(err, name)
	}
	return os.Readlink(filepath.FromSlash(name))
}

// named makes a path error speak of the name that the user gave.
func named(err error, name string) error {
	if pe, ok := err.(*fs.PathError); ok {
		return &fs.PathError{Op: pe.Op, Path: name, Err: pe.Err}
	}
	return err
}

func (h *hostFS) close() {
	for _, root := range h.trees {
		root.Close()
	}
}
