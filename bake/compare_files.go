// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"maps"
	"slices"
	"strings"
)

// files compares files by path. Without a record only bound files are known to
// be all there are: others are compared where both sides have them.
func (c *comparison) files() {
	a, b := c.sides[0].what, c.sides[1].what
	for _, side := range c.sides {
		if !side.what.Recorded {
			c.difference.note("%s has no record of a bake: of files that are not bound only those in both images were compared", side.location)
		}
	}
	x, y := filesByPath(a.Files), filesByPath(b.Files)
	for _, path := range slices.Sorted(maps.Keys(union(x, y))) {
		f, inA := x[path]
		g, inB := y[path]
		if inA && inB && f.content == g.content || !(inA && inB) && !(f.bound || g.bound) && !(a.Recorded && b.Recorded) {
			continue
		}
		change := FileChange{Path: path, As: []string{}}
		for _, as := range slices.Concat(f.as, g.as) {
			if !slices.Contains(change.As, as) {
				change.As = append(change.As, as)
			}
		}
		if inA {
			change.A = &f.content
		}
		if inB {
			change.B = &g.content
		}
		c.out.Files = append(c.out.Files, change)
	}
}

// pathFile is what is at a path.
type pathFile struct {
	as      []string
	bound   bool
	content FileContent
}

func filesByPath(files []InspectedFile) map[string]pathFile {
	out := map[string]pathFile{}
	for _, f := range files {
		path := f.Path
		if f.Tree {
			path = strings.TrimSuffix(path, "/") + "/"
		}
		at := out[path]
		at.as = append(at.as, describe(f.Role, f.Name))
		at.bound = at.bound || variables[f.Role] != ""
		at.content = FileContent{Size: f.Size, SHA256: f.SHA256, Files: f.Files}
		out[path] = at
	}
	return out
}
