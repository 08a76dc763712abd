// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// A heldLayer is a small layer of an image with its contents.
type heldLayer []layer.Entry

// heldSize is up to which size a layer is read as a whole: small files share
// layers below it, see ownLayer.
const heldSize = ownLayer

// hold reads the small layers of the bake.
func (r *rebinding) hold(ctx context.Context) error {
	one := r.img.images[0]
	first := len(r.base.images[0].manifest.Layers)
	for n := first; n < len(one.manifest.Layers); n++ {
		if one.manifest.Layers[n].Size > heldSize {
			continue
		}
		var held heldLayer
		var total int64
		err := r.img.readLayer(ctx, one, n, func(e layer.Entry) error {
			if e.Type != tar.TypeReg {
				held = append(held, e)
				return nil
			}
			if total += e.Size; total > maxHeld {
				return nil // it compressed well; see entriesFrom
			}
			rc, err := e.Open()
			if err != nil {
				return err
			}
			content, err := io.ReadAll(rc)
			if err != nil {
				return err
			}
			e.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
			held = append(held, e)
			return nil
		})
		if err != nil {
			return err
		}
		if total <= maxHeld {
			r.held[n] = held
		}
	}
	return nil
}

// maxHeld bounds the contents of one held layer, in bytes.
const maxHeld = 32 << 20

// list makes the items of the result: those of the bake, with the new files in
// place of those that they replace. It returns what the check is to look at.
func (r *rebinding) list(ctx context.Context) ([]engine.File, error) {
	l := &lister{ctx: ctx, fsys: r.opts.FS, dir: r.dir}
	for _, name := range sortedKeys(r.opts.Schemas) {
		l.bound(RoleSchema, name, r.opts.Schemas[name])
	}
	for _, slot := range sortedKeys(r.opts.Streams) {
		l.bound(RoleStream, strconv.Itoa(slot), r.opts.Streams[slot])
	}
	if len(l.errs) > 0 {
		return nil, l.errs[0]
	}
	for _, f := range r.patches[0].assets {
		it := &item{File: File{Role: f.Role, Name: f.Name, Path: f.Path, Source: f.Path, Size: f.Size, Files: f.Files}, tree: f.Tree, recorded: f}
		r.items = append(r.items, it)
	}
	for _, it := range l.items {
		sum, err := hashContent(it.entries[0].Open)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", it.Source, err)
		}
		r.fresh[it] = RecordedFile{Role: it.Role, Name: it.Name, Path: it.Path, Size: it.Size, SHA256: sum}
		r.place(it)
		switch it.Role {
		case RoleSchema:
			r.bindings.Schemas[it.Name] = it.Path
		case RoleStream:
			slot, _ := strconv.Atoi(it.Name) // it was a number
			r.bindings.Streams[slot] = it.Path
		}
	}
	if r.opts.ConnectPrefix != "" {
		r.bindings.ConnectPrefix = r.opts.ConnectPrefix
	}
	if err := r.collisions(); err != nil {
		return nil, err
	}
	for it := range r.fresh {
		it.Source = it.Path // what is at one path is the same file now
	}
	return append(r.contents(), l.contents...), nil
}

// place puts a new item where a bake would: in place of the one that it
// replaces, or before the first that comes after it.
func (r *rebinding) place(fresh *item) {
	after := len(r.items)
	for i, it := range r.items {
		if it.Role == fresh.Role && it.Name == fresh.Name {
			r.items[i] = fresh
			return
		}
		if after == len(r.items) && comesBefore(fresh, it) {
			after = i
		}
	}
	r.items = slices.Insert(r.items, after, fresh)
}

// comesBefore is the order in which a Spec's files are baked.
func comesBefore(a, b *item) bool {
	order := []Role{RoleModel, RoleSchema, RoleStream, RoleAttachment, RoleUnpack, RoleAsset}
	x, y := slices.Index(order, a.Role), slices.Index(order, b.Role)
	if x != y || a.Role != RoleStream {
		return x < y || x == y && a.Name < b.Name
	}
	m, _ := strconv.Atoi(a.Name)
	n, _ := strconv.Atoi(b.Name)
	return m < n
}

// collisions refuses a new file at the path of another one that differs.
func (r *rebinding) collisions() error {
	for fresh, f := range r.fresh {
		for _, it := range r.items {
			if it != fresh && !it.tree && it.Path == f.Path && r.recordedItem(it).SHA256 != f.SHA256 {
				return usagef("%s %s: %s %v", describe(f.Role, f.Name), fresh.Source, f.Path, errCollision)
			}
		}
	}
	return nil
}

// contents is what is known of the files that stay.
func (r *rebinding) contents() []engine.File {
	var files []engine.File
	read := map[string]bool{}
	for _, f := range r.fresh {
		read[f.Path] = true
	}
	for _, n := range sortedKeys(r.held) {
		for _, e := range r.held[n] {
			if read["/"+e.Name] || r.keeps(e.Name, r.items) == nil {
				continue
			}
			f := content(e, nil, "")
			f.Open = e.Open
			files = append(files, f)
			read["/"+e.Name] = true
		}
	}
	for _, it := range r.items {
		if _, isNew := r.fresh[it]; !isNew && !it.tree && !read[it.Path] {
			files = append(files, engine.File{Path: it.Path, Mode: 0o644, Size: it.Size, Baked: true})
		}
	}
	return files
}

// keeps returns the item among items that the file name of an old layer stays
// part of, or nil.
func (r *rebinding) keeps(name string, items []*item) *item {
	if r.gone(name) {
		return nil // although there may be a tree around it
	}
	var tree *item
	for _, it := range items {
		if _, isNew := r.fresh[it]; isNew {
			continue
		}
		root := strings.Trim(it.Path, "/")
		switch {
		case !it.tree && root == name:
			return it
		case it.tree && (root == "" || root == name || strings.HasPrefix(name, root+"/")) && (tree == nil || len(it.Path) > len(tree.Path)):
			tree = it
		}
	}
	return tree
}

// gone reports whether name is that of a single file of the old bake that no
// longer is part of it.
func (r *rebinding) gone(name string) bool {
	is := func(p string, tree bool) bool { return !tree && strings.Trim(p, "/") == name }
	if !slices.ContainsFunc(r.patches[0].assets, func(f RecordedFile) bool { return is(f.Path, f.Tree) }) {
		return false
	}
	return !slices.ContainsFunc(r.items, func(it *item) bool {
		_, isNew := r.fresh[it]
		return !isNew && is(it.Path, it.tree)
	})
}

// layers is the layers of the result: found ones where nothing in them has
// changed.
func (r *rebinding) layers(ctx context.Context) ([]*bakedLayer, error) {
	old := r.patches[0]
	compression, err := ParseCompression(old.compression)
	if err != nil {
		return nil, integrityf("its record: %w", err)
	}
	var was []*item
	for _, f := range old.assets {
		was = append(was, &item{File: File{Role: f.Role, Name: f.Name, Path: f.Path, Source: f.Path, Size: f.Size}, tree: f.Tree, recorded: f})
	}
	before := grouped(was, old.layerMode)
	layers := grouped(r.items, old.layerMode)
	if len(old.assets) == 0 {
		// A bake without a list of its files stays as it is, below the new ones.
		layers = append(slices.Clone(old.layers), layers...)
	}
	for _, l := range layers {
		if l.found != nil {
			continue
		}
		i := slices.IndexFunc(old.layers, func(o *bakedLayer) bool { return o.class == l.class })
		j := slices.IndexFunc(before, func(b *bakedLayer) bool { return b.class == l.class })
		if i >= 0 && j >= 0 && r.sameItems(before[j].items, l.items) {
			l.found, l.createdBy = old.layers[i].found, old.layers[i].createdBy
			continue
		}
		entries, err := r.entriesOf(ctx, l.items)
		if err != nil {
			return nil, err
		}
		if l.made, err = layer.New(entries, compression.layer(old.created)); err != nil {
			return nil, integrityf("its record: %w", err)
		}
	}
	return layers, nil
}

// prove makes the new layers, and refuses an image whose record says something
// else of the files that they take over.
func (r *rebinding) prove(ctx context.Context, layers []*bakedLayer) error {
	for _, l := range layers {
		if l.made == nil {
			continue
		}
		if err := l.Resolve(ctx); err != nil {
			return err
		}
		recorded := r.recorded()
		found, _ := account(recorded, l.made.Files())
		for _, it := range l.items {
			i := slices.Index(r.items, it)
			if i >= 0 && (found[i].SHA256 != recorded[i].SHA256 || found[i].Size != recorded[i].Size) {
				return integrityf("%s is not the file that the image's record names", it.Path)
			}
		}
	}
	return nil
}

func (r *rebinding) sameItems(was, now []*item) bool {
	return slices.EqualFunc(was, now, func(a, b *item) bool {
		_, isNew := r.fresh[b]
		return !isNew && a.recorded == b.recorded
	})
}

// report tells what became of every file.
func (r *rebinding) report(layers []*bakedLayer) []ReportAsset {
	at := map[string]*v1.Hash{} // by path
	for _, l := range layers {
		if desc, err := l.descriptor(true); err == nil {
			for _, it := range l.items {
				at[it.Path] = &desc.Digest
			}
		}
	}
	was := map[File]RecordedFile{}
	for _, f := range r.patches[0].assets {
		was[File{Role: f.Role, Name: f.Name}] = f
	}
	stays := map[v1.Hash]bool{} // of the image's layers
	for _, l := range r.patches[0].layers {
		stays[l.found.desc.Digest] = true
	}
	var report []ReportAsset
	paths := map[string]bool{}
	for _, it := range r.items {
		f, change := r.recordedItem(it), Unchanged
		if _, isNew := r.fresh[it]; isNew {
			old, replaced := was[File{Role: f.Role, Name: f.Name}]
			switch {
			case !replaced:
				change = Added
			case old.SHA256 != f.SHA256:
				change = Changed
			}
		}
		paths[f.Path] = true
		one := ReportAsset{InspectedFile: InspectedFile{f, at[f.Path]}, Change: change}
		one.SameLayer = one.Layer != nil && stays[*one.Layer]
		report = append(report, one)
	}
	for _, f := range r.patches[0].assets {
		if !paths[f.Path] {
			report = append(report, ReportAsset{InspectedFile: InspectedFile{RecordedFile: f}, Change: Removed})
		}
	}
	return report
}

// hashContent is the SHA-256 of what open yields, in hex.
func hashContent(open func() (io.ReadCloser, error)) (string, error) {
	rc, err := open()
	if err != nil {
		return "", err
	}
	defer rc.Close() // was opened for reading only
	h := sha256.New()
	if _, err := io.Copy(h, rc); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// parents is the directories above name that a layer has entries for.
func parents(name string) []string {
	var dirs []string
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if !ofBase(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}
