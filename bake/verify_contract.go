// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"bytes"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// contractHolds applies the engine contract to what was read.
func (p *verifiedImage) contractHolds() error {
	switch {
	case p.unread:
		p.skipped = "a layer could not be read"
		return nil
	case !p.baked():
		p.skipped = "nothing is baked into it"
		return nil
	}
	img := engine.Image{Env: p.config.env}
	if p.record != nil {
		img.Base = p.record.Base.Name
		alone := p.bakesAlone()
		if alone {
			img.Dirs = p.ownDirs()
		}
		img.Files = p.files(p.lastOnes(), alone)
	} else {
		img.Base = p.manifest.Annotations[baseNameAnnotation]
		img.Files, img.BaseListed = p.files(p.view.files, false), p.view.read == len(p.manifest.Layers)
	}
	for _, f := range engine.Check(img, engine.Options{}) {
		if !p.found[f] {
			p.found[f] = true
			p.verifier.findings = append(p.verifier.findings, f)
		}
		p.failed = p.failed || f.Severity == engine.Error
	}
	return nil
}

// bakesAlone reports whether the base has nothing in the directories of the
// bake. It has where a file next to an asset is bound by the base itself: what
// was baked by others was bound anew.
func (p *verifiedImage) bakesAlone() bool {
	below, _ := engine.Decode(unsetEnv(p.config.env, p.record.Env))
	assets, dirs := map[string]bool{}, map[string]bool{}
	for _, a := range p.record.Assets {
		assets[a.Path], dirs[path.Dir(a.Path)] = true, true
	}
	return !slices.ContainsFunc(boundFiles(below), func(f File) bool { return dirs[path.Dir(f.Path)] && !assets[f.Path] })
}

// ownDirs are the directories that the bake fills alone.
func (p *verifiedImage) ownDirs() []string {
	dirs := []string{p.record.AssetsDir}
	for _, a := range p.record.Assets {
		if a.Tree {
			dirs = append(dirs, a.Path)
		}
	}
	return slices.DeleteFunc(dirs, func(dir string) bool {
		first, _, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
		return first == "" || ofBase(first)
	})
}

// lastOnes is the entries of the bake's layers by name; of repetitions the last
// one counts.
func (p *verifiedImage) lastOnes() map[string]imageFile {
	files := map[string]imageFile{}
	for i, desc := range p.own() {
		for _, f := range p.layers[desc.Digest].files {
			f.layer = p.record.Base.Layers + i
			files[f.Name] = f
		}
	}
	return files
}

// files describes entries to the checker.
func (p *verifiedImage) files(entries map[string]imageFile, baked bool) []engine.File {
	var files []engine.File
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		f := entries[name]
		out := content(f.Entry, nil, "")
		out.Baked = baked
		if f.Type == tar.TypeLink {
			target, ok := entries[f.Linkname]
			if !ok {
				continue // it is in a layer that was not read
			}
			f, out.Size, out.Link = target, target.Size, ""
		}
		held, ok := p.layers[p.manifest.Layers[f.layer].Digest].held[f.Name]
		switch {
		case ok:
			out.Open = func() (io.ReadCloser, error) { return heldFile{bytes.NewReader(held)}, nil }
		case f.Type == tar.TypeReg && p.bound[out.Path]:
			p.note("%s is too large to be checked: it has %d bytes", out.Path, f.Size)
		case f.Type != tar.TypeReg && f.Type != tar.TypeDir && f.Type != tar.TypeSymlink:
			out.Mode |= fs.ModeDevice
		}
		files = append(files, out)
	}
	return files
}

// heldFile is a file's content; archives are read at any place of it.
type heldFile struct{ *bytes.Reader }

func (heldFile) Close() error { return nil }
