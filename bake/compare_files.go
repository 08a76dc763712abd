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
			c.difference.note("%s %s: its variables, labels, annotations and settings are those of base and bake together, and of files that are not bound only those in both images are compared", side.location, side.unrecorded())
		}
	}
	x, y := filesByPath(a.Files), filesByPath(b.Files)
	for _, path := range slices.Sorted(maps.Keys(union(x, y))) {
		f, inA := x[path]
		g, inB := y[path]
		switch {
		case inA && inB && f.content == g.content:
			continue
		case !c.recorded() && inA != inB && c.inBase(path, inA):
			continue
		case !c.recorded() && inA != inB && !f.bound && !g.bound:
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

// inBase reports whether the side that does not list the file, B where A does,
// binds it all the same: it is in the base of a bake that is recorded, and was
// not read.
func (c *comparison) inBase(path string, inA bool) bool {
	side := c.sides[0]
	if inA {
		side = c.sides[1]
	}
	bound := side.what.Recorded && len(rolesOf(side.what.Bindings)[path]) > 0
	if bound {
		c.difference.note("%s has %s from its base: it was not compared", side.location, path)
	}
	return bound
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
