// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"math/bits"
	"path"
	"slices"
	"strings"
)

// A share is what a bake's layers have of one asset.
type share struct {
	entries []hauledEntry // in the layer's order; of a file one
	stream  bool          // unpacked: in an order of its own
}

// members is the assets whose files are in each of the bake's layers; see
// grouped.
func (x *extraction) members() ([][]int, error) {
	layers := make([][]int, len(x.layers))
	at := func(class string) int {
		return slices.IndexFunc(x.layers, func(l hauledLayer) bool { return l.class == class })
	}
	placed := map[string]bool{} // paths of files that several roles name
	for _, class := range classes {
		for i, f := range x.assets {
			if !slices.Contains(class.roles, f.Role) || placed[f.Path] && !f.Tree {
				continue
			}
			if !f.Tree {
				placed[f.Path] = true
			}
			n := at(class.name)
			if n < 0 {
				n = at(sharedClass)
			}
			if n < 0 {
				return nil, integrityf("its record names no layer for files of role %s", f.Role)
			}
			layers[n] = append(layers[n], i)
		}
	}
	return layers, nil
}

// errNoSplit means that the entries of a layer cannot be those of its assets.
var errNoSplit = errors.New("belongs to none of its assets, in the order in which it is baked")

// split finds the entries of every asset. A tree for which streams is true was
// unpacked: its members come, in any order, after all that is sorted by name.
func (x *extraction) split(members [][]int, streams func(asset int) bool) ([]share, error) {
	shares := make([]share, len(x.assets))
	for n, l := range x.layers {
		owners, sorted, err := newSplitting(x, members[n], streams).all(l.entries, len(l.entries))
		if err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.class, err)
		}
		for at, i := range owners {
			if i >= 0 {
				shares[i].entries = append(shares[i].entries, l.entries[at])
				shares[i].stream = at >= sorted
			}
		}
	}
	// A file of several roles is in the layer of one of them.
	files := map[string]share{}
	for i, f := range x.assets {
		if !f.Tree && len(shares[i].entries) > 0 {
			files[f.Path] = shares[i]
		}
	}
	for i, f := range x.assets {
		if !f.Tree {
			shares[i] = files[f.Path]
		}
	}
	return shares, nil
}

// splitCopies is split for a bake of copies, whose record does not tell which
// trees were unpacked: as few as explain the order.
func (x *extraction) splitCopies(ctx context.Context, members [][]int) ([]share, error) {
	var trees []int
	for i, f := range x.assets {
		if f.Tree && f.Role == RoleAsset {
			trees = append(trees, i)
		}
	}
	const most = 8 // trees that may be unpacked; a Dockerfile has one or two
	trees = trees[max(0, len(trees)-most):]
	masks := make([]uint, 1<<len(trees))
	for m := range masks {
		masks[m] = uint(m)
	}
	slices.SortStableFunc(masks, func(a, b uint) int { return bits.OnesCount(a) - bits.OnesCount(b) })
	var first error
	for _, mask := range masks {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		shares, err := x.split(members, func(i int) bool {
			at := slices.Index(trees, i)
			return x.assets[i].Role == RoleUnpack || at >= 0 && mask>>at&1 == 1
		})
		if err == nil {
			return shares, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// splitting is the splitting of one layer.
type splitting struct {
	assets   []RecordedFile
	singles  map[string]int
	plain    []int           // trees that are sorted
	unpacked []int           // trees that are not
	dirs     map[string]bool // that the assets have by being where they are
}

func newSplitting(x *extraction, members []int, streams func(asset int) bool) *splitting {
	s := &splitting{assets: x.assets, singles: map[string]int{}, dirs: map[string]bool{}}
	for _, i := range members {
		f := x.assets[i]
		name := strings.Trim(f.Path, "/")
		switch {
		case !f.Tree:
			s.singles[name] = i
		case streams(i):
			s.unpacked = append(s.unpacked, i)
		default:
			s.plain = append(s.plain, i)
		}
		if !f.Tree {
			name = path.Dir(name)
		}
		for ; name != "." && name != ""; name = path.Dir(name) {
			s.dirs[name] = true
		}
	}
	return s
}

// all is the assets that have the layer's entries, -1 for directories that need
// none, and how many entries are sorted: as many as can be, up to most.
func (s *splitting) all(entries []hauledEntry, most int) (owners []int, sorted int, err error) {
	at := map[string]int{} // index by name
	for sorted = 0; sorted < most; sorted++ {
		e := entries[sorted]
		i, ok := s.sorted(e)
		if !ok || sorted > 0 && e.Name <= entries[sorted-1].Name {
			break
		}
		owners, at[e.Name] = append(owners, i), sorted
	}
	current := 0 // of unpacked
	for n := sorted; n < len(entries); n++ {
		e := entries[n]
		if target, known := at[e.Linkname]; e.Type == tar.TypeLink {
			if !known {
				return nil, 0, integrityf("/%s is a hard link to /%s, which is no earlier file", e.Name, e.Linkname)
			}
			if target < sorted {
				// It comes out of the archive that its target is in.
				return s.all(entries, target)
			}
		}
		for ; current < len(s.unpacked) && !s.unpacks(s.unpacked[current], e); current++ {
		}
		if current == len(s.unpacked) {
			return nil, 0, integrityf("/%s %w", e.Name, errNoSplit)
		}
		owners, at[e.Name] = append(owners, s.unpacked[current]), n
	}
	return owners, sorted, nil
}

// sorted reports whether an entry can be one of those that are sorted by name.
func (s *splitting) sorted(e hauledEntry) (int, bool) {
	if i, ok := s.singles[e.Name]; ok && e.Type != tar.TypeDir {
		return i, true
	}
	if e.Type == tar.TypeDir && s.dirs[e.Name] {
		return -1, true
	}
	i := s.deepest(e.Name)
	return i, i >= 0 && e.Type != tar.TypeLink
}

// unpacks reports whether an entry can be a member of an archive.
func (s *splitting) unpacks(i int, e hauledEntry) bool {
	name, ok := within(e.Name, s.assets[i].Path)
	return ok && name != "" && (s.assets[i].Role != RoleUnpack || stays(e, name))
}

// deepest is the sorted tree with the longest path above name, or -1.
func (s *splitting) deepest(name string) int {
	found := -1
	for _, i := range s.plain {
		if _, ok := within(name, s.assets[i].Path); ok && (found < 0 || len(s.assets[i].Path) > len(s.assets[found].Path)) {
			found = i
		}
	}
	return found
}

// within is name relative to the in-image directory dir, which holds it or is
// it.
func within(name, dir string) (string, bool) {
	root := strings.Trim(dir, "/")
	switch {
	case root == "":
		return name, true
	case name == root:
		return "", true
	}
	return strings.CutPrefix(name, root+"/")
}

// stays reports whether an entry, called name in an archive, could have come
// out of an archive to unpack, which has no links that lead out of it.
func stays(e hauledEntry, name string) bool {
	if e.Type != tar.TypeSymlink {
		return true
	}
	depth := strings.Count(name, "/")
	for part := range strings.SplitSeq(e.Linkname, "/") {
		if part == ".." {
			depth--
		}
	}
	return depth >= 0 && !path.IsAbs(e.Linkname)
}
