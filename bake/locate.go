// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"maps"
	"path"
	"slices"
	"strconv"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// locate finds the bound files, and those beside them, by reading layers from
// the top down until none is missing.
func (b *Base) locate(ctx context.Context, img *baseImage, p *InspectedPlatform) error {
	bound := rolesOf(p.Bindings)
	var v view
	missing := func() []string {
		var paths []string
		for _, path := range slices.Sorted(maps.Keys(bound)) {
			if _, ok := v.resolve(path); !ok {
				paths = append(paths, path)
			}
		}
		return paths
	}
	for n := len(img.manifest.Layers) - 1; n >= p.Base.Layers && (len(missing()) > 0 || p.Recorded); n-- {
		if err := v.addLayer(ctx, b, img, n); err != nil {
			return err
		}
	}
	p.Files = []InspectedFile{}
	used := map[int]bool{}
	add := func(f File, found imageFile) {
		used[found.layer] = true
		p.Files = append(p.Files, InspectedFile{
			RecordedFile{Role: f.Role, Name: f.Name, Path: f.Path, Size: found.Size, SHA256: found.sha256},
			&img.manifest.Layers[found.layer].Digest,
		})
	}
	dirs := map[string]bool{}
	seen := map[string]bool{}
	for _, f := range boundFiles(p.Bindings) {
		if found, ok := v.resolve(f.Path); ok {
			add(f, found)
			dirs[path.Dir(f.Path)] = true
			seen[found.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.files)) {
		if f := v.files[name]; !seen[name] && f.sha256 != "" && dirs[path.Dir("/"+name)] {
			add(File{Role: RoleAsset, Path: "/" + name}, f)
		}
	}
	if p.Recorded {
		return nil // what is missing may be in the base
	}
	for _, path := range missing() {
		p.Findings = append(p.Findings, engine.Finding{
			Rule: "ENV-08", Severity: engine.Error, File: path,
			Message: "no such file in the image", Hint: "bake it, or bind another file",
		})
	}
	for n := range img.manifest.Layers {
		if used[n] {
			desc := img.manifest.Layers[n]
			p.Layers = append(p.Layers, ReportLayer{Class: sharedClass, Digest: desc.Digest, DiffID: img.config.diffIDs[n], Size: desc.Size, MediaType: desc.MediaType})
		}
	}
	return nil
}

// boundFiles is the files that bindings name, in the order of a bake's files.
func boundFiles(b engine.Bindings) []File {
	var files []File
	if b.Model != "" {
		files = append(files, File{Role: RoleModel, Path: b.Model})
	}
	for _, name := range slices.Sorted(maps.Keys(b.Schemas)) {
		files = append(files, File{Role: RoleSchema, Name: name, Path: b.Schemas[name]})
	}
	for _, slot := range slices.Sorted(maps.Keys(b.Streams)) {
		files = append(files, File{Role: RoleStream, Name: strconv.Itoa(slot), Path: b.Streams[slot]})
	}
	for _, p := range b.Attachments {
		files = append(files, File{Role: RoleAttachment, Path: p})
	}
	return files
}
