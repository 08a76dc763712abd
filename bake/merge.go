// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// sortedKeys is the keys of m in order.
func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// entriesOf is the content of a layer that is made again: the new files among
// items, merged in order of name into what the old layers have of the others.
func (r *rebinding) entriesOf(ctx context.Context, items []*item) (layer.Entries, error) {
	var fresh []layer.Entry
	dirs := map[string]bool{} // that the layer has for its files
	old := map[int]bool{}
	for _, it := range items {
		name := strings.Trim(it.Path, "/")
		for _, dir := range parents(name) {
			dirs[dir] = true
		}
		if _, isNew := r.fresh[it]; isNew {
			fresh = append(fresh, it.entries...)
			continue
		}
		n, err := r.layerOf(it.Role)
		if err != nil {
			return nil, err
		}
		old[n] = true
	}
	slices.SortFunc(fresh, func(a, b layer.Entry) int { return strings.Compare(a.Name, b.Name) })
	fresh = slices.CompactFunc(fresh, func(a, b layer.Entry) bool { return a.Name == b.Name })
	m := &merge{r: r, items: items, dirs: dirs, fresh: fresh, several: len(old) > 1}
	for _, n := range sortedKeys(old) {
		held, ok := r.held[n]
		if !ok && len(old) > 1 {
			return nil, fmt.Errorf("layer %d is large and would have to be split up; build the image again", n+1)
		}
		if !ok {
			m.stream = func(visit func(layer.Entry) error) error { return r.img.readLayer(ctx, r.img.images[0], n, visit) }
		}
		m.held = append(m.held, held...)
	}
	return m.entries, nil
}

// layerOf is the number of the layer that holds the files of a role.
func (r *rebinding) layerOf(role Role) (int, error) {
	layers := r.patches[0].layers
	for _, class := range []string{classOf(role), sharedClass} {
		if i := slices.IndexFunc(layers, func(l *bakedLayer) bool { return l.class == class }); i >= 0 {
			return len(r.base.images[0].manifest.Layers) + i, nil
		}
	}
	return 0, integrityf("its record names no layer for files of role %s", role)
}

// A merge is the content of a layer that is made again.
type merge struct {
	r       *rebinding
	items   []*item
	dirs    map[string]bool
	fresh   []layer.Entry                             // in order of name
	held    []layer.Entry                             // of old layers
	several bool                                      // held is of more than one layer
	stream  func(visit func(layer.Entry) error) error // of one large old layer, instead of held
}

func (m *merge) entries(yield func(layer.Entry, error) bool) {
	made := map[string]bool{}
	put := func(e layer.Entry) error {
		if made[e.Name] {
			return nil
		}
		made[e.Name] = true
		if !yield(e, nil) {
			return errStopped
		}
		return nil
	}
	pending := m.pending()
	// flush puts the new entries that come before name; all without a name.
	flush := func(name string) error {
		for len(pending) > 0 && (name == "" || pending[0].Name < name) {
			if err := put(pending[0]); err != nil {
				return err
			}
			pending = pending[1:]
		}
		return nil
	}
	visit := func(e layer.Entry) error {
		owner := m.r.keeps(e.Name, m.items)
		if owner == nil && (e.Type != tar.TypeDir || !m.dirs[e.Name]) {
			return nil
		}
		until := e.Name
		if m.ofArchive(e) {
			until = "" // archives come after all that is sorted
		}
		if err := flush(until); err != nil {
			return err
		}
		if len(pending) > 0 && pending[0].Name == e.Name {
			if e.Type != tar.TypeDir && owner.tree {
				return usagef("/%s %v", e.Name, errCollision)
			}
			pending = pending[1:] // the old entry is the same, or has a mode of its own
		}
		return put(e)
	}
	err := m.old(visit)
	if err == nil {
		err = flush("")
	}
	if err != nil && !errors.Is(err, errStopped) {
		yield(layer.Entry{}, err)
	}
}

var errStopped = errors.New("stopped")

// pending is the new entries with the directories above them.
func (m *merge) pending() []layer.Entry {
	byName := map[string]layer.Entry{}
	for _, e := range m.fresh {
		byName[e.Name] = e
		addParents(byName, e.Name)
	}
	var all []layer.Entry
	for _, name := range sortedKeys(byName) {
		all = append(all, byName[name])
	}
	return all
}

// old visits the entries of the old layers: as they are in one layer, or those
// of several sorted and then the archives.
func (m *merge) old(visit func(layer.Entry) error) error {
	if m.stream != nil {
		return m.stream(visit)
	}
	held := m.held
	if m.several {
		// An archive has an order of its own, and a hard link comes after its
		// target.
		last := func(e layer.Entry) bool { return e.Type == tar.TypeLink || m.ofArchive(e) }
		held = slices.Clone(held)
		slices.SortStableFunc(held, func(a, b layer.Entry) int {
			switch x, y := last(a), last(b); {
			case x && y:
				return 0
			case x:
				return 1
			case y:
				return -1
			}
			return strings.Compare(a.Name, b.Name)
		})
	}
	for _, e := range held {
		if err := visit(e); err != nil {
			return err
		}
	}
	return nil
}

// ofArchive reports whether an old entry came out of an archive.
func (m *merge) ofArchive(e layer.Entry) bool {
	owner := m.r.keeps(e.Name, m.items)
	return owner != nil && owner.Role == RoleUnpack && e.Name != strings.Trim(owner.Path, "/")
}
