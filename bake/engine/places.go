// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"path"
)

// checkPlaces is ENV-17: of two sources for one in-image path, only the last
// would be there, and below a file nothing can be.
func (c *checker) checkPlaces() {
	taken := make(map[string]*File)
	for i := range c.img.Files {
		f := &c.img.Files[i]
		if !f.Baked {
			continue
		}
		p := path.Clean("/" + f.Path)
		other := taken[p]
		switch {
		case other == nil:
			taken[p] = f
		case other.Mode.IsDir() && f.Mode.IsDir(), other.name() == f.name() && !other.Mode.IsDir() && !f.Mode.IsDir():
			// Directories merge, and one file may have several parts to play.
		default:
			c.add(env17.says("%s is baked from both %s and %s", p, other.name(), f.name()).in(f.name()).
				hint("rename one of the files, or give it another destination"))
		}
	}
	told := make(map[string]bool)
	for i := range c.img.Files {
		f := &c.img.Files[i]
		p := path.Clean("/" + f.Path)
		for dir := path.Dir(p); f.Baked && dir != "/"; dir = path.Dir(dir) {
			if other := taken[dir]; other != nil && !other.Mode.IsDir() && !told[dir] {
				told[dir] = true
				c.add(env17.says("%s is a file (from %s), but %s (from %s) lies below it", dir, other.name(), p, f.name()).in(f.name()).
					hint("give one of them another destination"))
			}
		}
	}
}
