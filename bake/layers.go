// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// ownLayer is the size from which a class has its own layer with LayersAuto:
// below it, a request more costs more than the bytes that it may save later.
const ownLayer = 1 << 20

// The classes of layers, from rarely to often changed, so that a change leaves
// the layers below it alone.
var classes = []struct {
	name  string
	roles []Role
}{
	{"attachments", []Role{RoleAttachment, RoleUnpack}},
	{"assets", []Role{RoleAsset}},
	{"model", []Role{RoleModel}},
	{"schemas", []Role{RoleSchema}},
	{"streams", []Role{RoleStream}},
}

// sharedClass is the name of a layer that several classes share.
const sharedClass = "files"

// bakedLayer is a layer that a bake adds: one that is made of files, or one
// that was found in an image.
type bakedLayer struct {
	class     string
	createdBy string // its history
	items     []*item
	made      *layer.Layer
	found     *foundLayer
}

// foundLayer is a layer that is somewhere already.
type foundLayer struct {
	desc   v1.Descriptor
	diffID v1.Hash
	from   *Base
}

// Resolve settles the layer's digest.
func (l *bakedLayer) Resolve(ctx context.Context) error {
	if l.found != nil {
		return nil
	}
	if err := l.made.Resolve(ctx); err != nil {
		return fmt.Errorf("layer %s: %w", l.class, err)
	}
	return nil
}

// open opens the compressed layer.
func (l *bakedLayer) open(ctx context.Context) (io.ReadCloser, error) {
	if l.found != nil {
		return l.found.from.source.blob(ctx, l.found.desc)
	}
	return l.made.Open(ctx)
}

// DiffID is the digest of the uncompressed layer, which must be resolved.
func (l *bakedLayer) DiffID() (v1.Hash, error) {
	if l.found != nil {
		return l.found.diffID, nil
	}
	return l.made.DiffID()
}

// descriptor describes the layer, which must be resolved, in OCI's or Docker's
// words.
func (l *bakedLayer) descriptor(oci bool) (v1.Descriptor, error) {
	if l.found != nil {
		desc := l.found.desc
		desc.MediaType = layerType(desc.MediaType, oci)
		return desc, nil
	}
	t, err := l.made.MediaType()
	if err != nil {
		return v1.Descriptor{}, err
	}
	digest, err := l.made.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := l.made.Size()
	return v1.Descriptor{MediaType: layerType(t, oci), Digest: digest, Size: size}, err
}

// layersOf spreads items over layers. A directory in dirs is as it says there,
// in whatever layer it is.
func layersOf(items []*item, dirs map[string]layer.Entry, spec Spec) ([]*bakedLayer, error) {
	layers := grouped(items, spec.Layers)
	for _, l := range layers {
		var err error
		if l.made, err = layer.New(entriesOf(l.items, dirs), spec.Compression.layer(spec.Created)); err != nil {
			return nil, usagef("%v", err)
		}
	}
	return layers, nil
}

// layer is how a layer is packed.
func (c Compression) layer(modTime time.Time) layer.Options {
	return layer.Options{Algorithm: string(c.Algorithm), Level: c.Level, ModTime: modTime}
}

// grouped is the layers that items are spread over, which are still to be made.
func grouped(items []*item, mode LayerMode) []*bakedLayer {
	var layers []*bakedLayer
	shared := &bakedLayer{class: sharedClass}
	placed := map[string]bool{} // sources of bound files that two roles name
	for _, class := range classes {
		l := &bakedLayer{class: class.name}
		var size int64
		for _, it := range items {
			source := it.Path + "\x00" + it.Source
			if !slices.Contains(class.roles, it.Role) || placed[source] {
				continue
			}
			placed[source] = !it.tree // two copies of one tree may leave out other parts of it
			l.items = append(l.items, it)
			size += it.Size
		}
		switch {
		case len(l.items) == 0:
		case mode == LayersClass, mode == LayersAuto && size >= ownLayer:
			layers = append(layers, l)
		default:
			shared.items = append(shared.items, l.items...)
		}
	}
	if len(shared.items) > 0 {
		layers = append(layers, shared)
	}
	for _, l := range layers {
		var paths []string
		for _, it := range l.items {
			paths = append(paths, it.Path)
		}
		l.createdBy = createdBy(l.class, paths)
	}
	return layers
}

// entriesOf is the content of a layer: single files and directories sorted by
// name, with every directory above them, then the unpacked archives.
func entriesOf(items []*item, dirs map[string]layer.Entry) layer.Entries {
	byName := map[string]layer.Entry{}
	var streams []layer.Entries
	for _, it := range items {
		for _, e := range it.entries {
			byName[e.Name] = e
			addParents(byName, e.Name)
		}
		if it.stream != nil {
			streams = append(streams, it.stream)
			addParents(byName, path.Join(strings.TrimPrefix(it.Path, "/"), "member"))
		}
	}
	plain := make([]layer.Entry, 0, len(byName))
	for _, e := range byName {
		plain = append(plain, e)
	}
	slices.SortFunc(plain, func(a, b layer.Entry) int { return strings.Compare(a.Name, b.Name) })

	return func(yield func(layer.Entry, error) bool) {
		made := map[string]bool{}
		// put yields e unless it is a directory that is there already.
		put := func(e layer.Entry, err error) bool {
			if err == nil && e.Type == tar.TypeDir {
				if made[e.Name] || ofBase(e.Name) {
					return true
				}
				made[e.Name] = true
				if d, ok := dirs[e.Name]; ok {
					e = d
				}
			}
			return yield(e, err) && err == nil
		}
		for _, e := range plain {
			if !put(e, nil) {
				return
			}
		}
		for _, s := range streams {
			for e, err := range s {
				if !put(e, err) {
					return
				}
			}
		}
	}
}

// addParents adds the directories above name: an engine that unpacks a layer
// makes missing ones with a mode of its own, which its non-root user may not
// be able to search (rule ENV-10).
func addParents(byName map[string]layer.Entry, name string) {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if _, known := byName[dir]; !known && !ofBase(dir) {
			byName[dir] = layer.DirEntry(dir)
		}
	}
}

// ofBase reports whether the directory is one that every engine image has, with
// owner and mode of its own (/tmp is 1777, /root 0700, /fastscore the engine
// user's): an entry for it would change them.
func ofBase(dir string) bool {
	switch dir {
	case "bin", "boot", "dev", "etc", "fastscore", "home", "lib", "lib64", "media", "mnt", "opt", "proc",
		"root", "run", "sbin", "srv", "sys", "tmp", "usr", "var", "usr/local", "var/lib", "var/tmp":
		return true
	}
	return false
}
