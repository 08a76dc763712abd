// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// own is the layers of the bake, as the record counts them.
func (p *verifiedImage) own() []v1.Descriptor {
	first := p.record.Base.Layers
	return p.manifest.Layers[first : first+len(p.record.Layers)]
}

// layersMatch reads the bake's layers: those that the record names or, without
// one, from the top down until every bound file is found.
func (p *verifiedImage) layersMatch(ctx context.Context) error {
	if p.record != nil {
		for i := range p.own() {
			if _, err := p.layerMatches(ctx, p.record.Base.Layers+i); err != nil {
				return err
			}
		}
		return nil
	}
	bindings, _ := engine.Decode(p.config.env)
	bound := boundFiles(bindings)
	missing := func(f File) bool { _, ok := p.view.resolve(f.Path); return !ok }
	for n := len(p.manifest.Layers) - 1; n >= 0 && slices.ContainsFunc(bound, missing) && !p.unread; n-- {
		l, err := p.layerMatches(ctx, n)
		if err != nil {
			return err
		}
		p.view.add(l.files, n)
	}
	return nil
}

// layerMatches reads layer n of the image.
func (p *verifiedImage) layerMatches(ctx context.Context, n int) (*readLayer, error) {
	desc := p.manifest.Layers[n]
	l, err := p.layer(ctx, desc)
	if err != nil {
		return nil, fmt.Errorf("layer %d of %d, %s: %w", n+1, len(p.manifest.Layers), desc.Digest, err)
	}
	switch name := desc.Digest.String(); {
	case l.err != nil:
		p.unread = true
		p.differs("layer", name, "%s", problem(l.err))
	case l.size != desc.Size:
		p.differs("layer", name, "it has %d bytes, the manifest says %d", l.size, desc.Size)
	case l.diffID != p.config.diffIDs[n]:
		p.differs("layer", name, "uncompressed it is %s, the config says %s", l.diffID, p.config.diffIDs[n])
	}
	return l, nil
}

// baseIsThere looks for the layers that are not read.
func (p *verifiedImage) baseIsThere(ctx context.Context) error {
	var rest []v1.Descriptor
	var digests []v1.Hash
	for n, desc := range p.manifest.Layers {
		switch {
		case p.record != nil && n >= p.record.Base.Layers && n < p.record.Base.Layers+len(p.record.Layers),
			p.record == nil && p.layers[desc.Digest] != nil:
			continue
		case !desc.MediaType.IsDistributable():
			p.note("%s is not distributed with the image, and was not looked for", desc.Digest)
			continue
		}
		rest, digests = append(rest, desc), append(digests, desc.Digest)
	}
	if err := p.lookFor(ctx, digests); err != nil {
		return err
	}
	for _, desc := range rest {
		switch found := p.sizes[desc.Digest]; {
		case found.err != nil:
			p.differs("base layer", desc.Digest.String(), "%s", problem(found.err))
		case found.size >= 0 && found.size != desc.Size:
			p.differs("base layer", desc.Digest.String(), "it has %d bytes, the manifest says %d", found.size, desc.Size)
		}
	}
	return nil
}

// assetsMatch compares the files of the bake's layers with the record.
func (p *verifiedImage) assetsMatch() error {
	if p.record == nil {
		p.skipped = p.noRecord()
		return nil
	}
	want := p.record.Assets
	of := newAssetPaths(want)
	var files []imageFile
	for i, desc := range p.own() {
		l := p.layers[desc.Digest]
		switch {
		case l.err != nil:
		case !p.ownLayer(i) && !slices.ContainsFunc(l.files, func(f imageFile) bool { return of.has(f.Name) }):
			p.note("layer %s was packed by another tool, and the record does not list its files", desc.Digest)
		default:
			p.eachOnce(l.files)
			files = append(files, l.files...)
		}
	}
	if len(want) == 0 && len(files) == 0 {
		p.skipped = "its record lists no files"
		return nil
	}
	var packed []layer.File
	for _, f := range files {
		switch {
		case f.Type != tar.TypeDir:
			packed = append(packed, f.packed())
		case !of.has(f.Name) && !of.above[f.Name] && !ofBase(f.Name):
			p.differs("directory", "/"+f.Name, "is in the bake's layers, and not in the record")
		}
	}
	got, extra := account(want, packed)
	for i, a := range want {
		if p.unread && (a.Tree || got[i].SHA256 == "") {
			continue // it may be in what could not be read
		}
		p.assets = append(p.assets, a)
		p.assetMatches(a, got[i])
	}
	for _, f := range extra {
		p.differs("file", "/"+f.Name, "is in the bake's layers, and not in the record")
	}
	return nil
}

// eachOnce refuses names that repeat in a layer: no bake repeats one, and of the
// files of one name some tools unpack the first.
func (p *verifiedImage) eachOnce(files []imageFile) {
	seen := map[string]bool{}
	for _, f := range files {
		if seen[f.Name] {
			p.differs("file", "/"+f.Name, "occurs twice in a layer of the bake")
		}
		seen[f.Name] = true
	}
}

// assetMatches compares one asset with what was found of it.
func (p *verifiedImage) assetMatches(want, got RecordedFile) {
	differs := func(format string, args ...any) { p.differs("asset", want.Path, format, args...) }
	switch {
	case want == got:
	case !want.Tree && got.SHA256 == "", want.Tree && got.Files == 0 && want.Files > 0:
		differs("is missing")
	case got.Files != want.Files:
		differs("it has %d files, the record says %d", got.Files, want.Files)
	case got.SHA256 != want.SHA256:
		differs("its sha256 is %s, the record says %s", got.SHA256, want.SHA256)
	default:
		differs("it has %d bytes, the record says %d", got.Size, want.Size)
	}
}

// assetPaths is the names of assets, without leading slash.
type assetPaths struct {
	single, tree map[string]bool
	above        map[string]bool // directories that hold one
}

func newAssetPaths(assets []RecordedFile) assetPaths {
	p := assetPaths{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, a := range assets {
		name := strings.Trim(path.Clean("/"+a.Path), "/")
		if a.Tree {
			p.tree[name] = true
		} else {
			p.single[name] = true
		}
		for dir := path.Dir(name); dir != "." && !p.above[dir]; dir = path.Dir(dir) {
			p.above[dir] = true
		}
	}
	return p
}

// has reports whether an entry of a layer is one of the assets, or in one.
func (p assetPaths) has(name string) bool {
	if p.single[name] || p.tree[""] {
		return true
	}
	for ; name != "."; name = path.Dir(name) {
		if p.tree[name] {
			return true
		}
	}
	return false
}

// assetCount is how many assets were compared, those that platforms share once.
func (v *verifier) assetCount() int {
	seen := map[RecordedFile]bool{}
	for _, p := range v.platforms {
		for _, a := range p.assets {
			seen[a] = true
		}
	}
	return len(seen)
}
