// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"path"
	"strings"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// A view is what the upper layers of an image show of its file system. Layers
// are added from the top.
type view struct {
	files map[string]imageFile
	gone  map[string]bool // names that an upper layer deletes, or hides as a whole
	read  int             // how many layers were added
	dirs  map[string]bool // directories, those that only hold a file included
}

// addLayer adds layer n, below the ones that were added before.
func (v *view) addLayer(ctx context.Context, b *Base, img *baseImage, n int) error {
	var files []imageFile
	err := b.readLayer(ctx, img, n, func(e layer.Entry) error {
		f, err := hashFile(e, n)
		files = append(files, f)
		return err
	})
	if err == nil {
		v.add(files, n)
	}
	return err
}

// add adds the files of layer n, below the ones that were added before.
func (v *view) add(files []imageFile, n int) {
	if v.files == nil {
		v.files, v.dirs, v.gone = map[string]imageFile{}, map[string]bool{}, map[string]bool{}
	}
	var whiteouts []string // they are about the layers below this one
	added := map[string]imageFile{}
	var dirs []string
	for _, f := range files {
		dir, base := path.Split(f.Name)
		if hidden, isWhiteout := strings.CutPrefix(base, ".wh."); isWhiteout {
			// OCI image-spec, layer.md, "Whiteouts".
			name := path.Clean(dir)
			if hidden != ".wh..opq" {
				name = path.Join(dir, hidden)
			}
			whiteouts = append(whiteouts, name)
			continue
		}
		if v.hides(f.Name) {
			continue
		}
		if f.Type == tar.TypeDir {
			dirs = append(dirs, f.Name)
			continue
		}
		f.layer = n
		added[f.Name] = f // of repetitions the last one counts
	}
	for name, f := range added {
		if _, above := v.files[name]; !above && !v.dirs[name] {
			v.files[name] = f
			dirs = append(dirs, path.Dir(name))
		}
	}
	for _, dir := range dirs {
		for ; dir != "." && !v.dirs[dir]; dir = path.Dir(dir) {
			v.dirs[dir] = true
		}
	}
	for _, name := range whiteouts {
		v.gone[name] = true
	}
	v.read++
}

// hides reports whether the layers so far delete name, or have something in the
// place of a directory above it.
func (v *view) hides(name string) bool {
	if v.gone["."] || v.gone[name] {
		return true
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, isFile := v.files[dir]; isFile || v.gone[dir] {
			return true
		}
	}
	return false
}

// resolve follows links from the in-image path p, from the root on as the
// system does; false is for a file that is not in view.
func (v *view) resolve(p string) (imageFile, bool) {
	name := strings.TrimPrefix(path.Clean("/"+p), "/")
	for range 40 {
		if next, linked := v.throughDirs(name); linked {
			name = next
			continue
		}
		f, ok := v.files[name]
		switch {
		case !ok:
			return f, false
		case f.Type == tar.TypeSymlink:
			name = linkTarget(name, f.Linkname)
		case f.Type == tar.TypeLink:
			name = f.Linkname
		default:
			return f, true
		}
	}
	return imageFile{}, false
}

// throughDirs replaces the first directory of name that is a symbolic link.
func (v *view) throughDirs(name string) (string, bool) {
	for i, c := range name {
		if c != '/' {
			continue
		}
		if f, ok := v.files[name[:i]]; ok && f.Type == tar.TypeSymlink {
			return path.Join(linkTarget(name[:i], f.Linkname), name[i+1:]), true
		}
	}
	return "", false
}

func linkTarget(name, target string) string {
	if path.IsAbs(target) {
		return strings.TrimPrefix(path.Clean(target), "/")
	}
	return strings.TrimPrefix(path.Join("/", path.Dir(name), target), "/")
}
