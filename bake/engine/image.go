// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// An Image is what Check may look at: the config's environment and the files,
// as far as they are known.
type Image struct {
	Env     []string // KEY=VALUE of the image's config
	BaseEnv []string // KEY=VALUE of the base image's config
	// Bindings, where it is set, is what a bake that does not exist yet was
	// asked to bind: it is checked in place of the contract's variables in Env,
	// which could not even hold some of it. A variable that it says nothing
	// about is that of Env, or that of BaseEnv where Env is nil.
	Bindings *Bindings

	// Base is the base image's reference, REPOSITORY[:TAG][@DIGEST]; empty if
	// unknown.
	Base string

	// Files are the files, directories and symbolic links that are known:
	// those of the bake, and those of the base if BaseListed. Directories that
	// only hold other files may be left out.
	Files []File
	// BaseListed says that Files has all of the base's files. Without it, a
	// path outside the bake's own directories is never called missing.
	BaseListed bool
	// Dirs are the in-image directories that belong to the bake, where the
	// base has nothing: a path below one of them that is not in Files does not
	// exist. Directories of bound files that the bake adds count too.
	Dirs []string
}

// A File is one entry of an image's file system.
type File struct {
	Path string      // absolute in-image path
	Mode fs.FileMode // type and permissions
	Size int64       // in bytes
	Link string      // target of a symbolic link

	// Baked is set for what the bake adds to its base.
	Baked bool
	// Source is the user's name of the file, for findings; empty is Path.
	Source string
	// Open returns the content of a regular file; nil where it is not at hand.
	// Archives are read without a copy in memory where the result is an
	// io.ReaderAt too, and zip archives above 64 MiB only then.
	Open func() (io.ReadCloser, error)
}

// name is what findings call the file.
func (f *File) name() string {
	if f.Source != "" {
		return f.Source
	}
	return f.Path
}

// tree is an image's file system.
type tree struct {
	files      map[string]*File // by clean absolute path
	implied    map[string]bool  // directories that hold a file
	owned      []string         // directories that belong to the bake
	baseListed bool
}

// newTree indexes the image's files. Bound are the paths of its variables.
func newTree(img Image, bound []string) *tree {
	t := &tree{files: make(map[string]*File, len(img.Files)), implied: make(map[string]bool), baseListed: img.BaseListed}
	for i := range img.Files {
		f := &img.Files[i]
		clean := path.Clean("/" + f.Path)
		t.files[clean] = f
		for dir := path.Dir(clean); !t.implied[dir]; dir = path.Dir(dir) {
			t.implied[dir] = true
		}
	}
	for _, dir := range img.Dirs {
		t.own(path.Clean("/" + dir))
	}
	for _, p := range bound {
		if f := t.files[p]; f != nil && f.Baked {
			t.own(path.Dir(p))
		}
	}
	slices.Sort(t.owned)
	return t
}

func (t *tree) own(dir string) {
	if dir != "/" && !slices.Contains(t.owned, dir) {
		t.owned = append(t.owned, dir)
	}
}

// owns tells whether p lies below a directory of the bake, and which.
func (t *tree) owns(p string) (string, bool) {
	for _, dir := range t.owned {
		if strings.HasPrefix(p, dir+"/") {
			return dir, true
		}
	}
	return "", false
}

// presence is what is known of a path.
type presence int

const (
	missing presence = iota
	unseen           // somewhere in the base, whose files were not listed
	isFile
	isDir
	isOther   // a device, a pipe
	outside   // a symbolic link that leaves the image
	linkCycle // symbolic links that lead nowhere
)

// stat follows symbolic links, as the engine would inside the image.
func (t *tree) stat(p string) (presence, *File) {
	for range 40 {
		next, at := t.step(p)
		if next == "" {
			return t.kindOf(p)
		}
		if next == ".." {
			return outside, at
		}
		p = next
	}
	return linkCycle, nil
}

// step replaces the first symbolic link in p by its target. It returns "" if
// there is none, and ".." if the target lies above the root.
func (t *tree) step(p string) (string, *File) {
	for i := 1; i <= len(p); i++ {
		if i < len(p) && p[i] != '/' {
			continue
		}
		f := t.files[p[:i]]
		if f == nil || f.Mode&fs.ModeSymlink == 0 {
			continue
		}
		target := f.Link
		if !path.IsAbs(target) {
			if escapes(path.Dir(p[:i]), target) {
				return "..", f
			}
			target = path.Join(path.Dir(p[:i]), target)
		}
		return path.Join(target, p[i:]), f
	}
	return "", nil
}

// escapes tells whether a relative link in dir climbs above the root.
func escapes(dir, link string) bool {
	depth := 0
	if dir != "/" {
		depth = strings.Count(dir, "/")
	}
	for segment := range strings.SplitSeq(link, "/") {
		switch segment {
		case "", ".":
		case "..":
			if depth--; depth < 0 {
				return true
			}
		default:
			depth++
		}
	}
	return false
}

func (t *tree) kindOf(p string) (presence, *File) {
	f := t.files[p]
	_, owned := t.owns(p)
	switch {
	case f == nil && (t.implied[p] || p == "/"):
		return isDir, nil
	case f == nil && (owned || t.baseListed):
		return missing, nil
	case f == nil:
		return unseen, nil
	case f.Mode.IsDir():
		return isDir, f
	case f.Mode.IsRegular():
		return isFile, f
	}
	return isOther, f
}

// unreadable tells what keeps a user who is neither root nor in its group from
// reading a baked file: "" or the path and mode that do.
func (t *tree) unreadable(p string) (string, fs.FileMode) {
	for dir := path.Dir(p); dir != "/"; dir = path.Dir(dir) {
		if f := t.files[dir]; f != nil && f.Baked && f.Mode.IsDir() && f.Mode&0o001 == 0 {
			return dir, f.Mode.Perm()
		}
	}
	if f := t.files[p]; f != nil && f.Baked && f.Mode.IsRegular() && f.Mode&0o004 == 0 {
		return p, f.Mode.Perm()
	}
	return "", 0
}
