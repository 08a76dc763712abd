// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// An Inspection says what is baked into an image.
type Inspection struct {
	Image     string              `json:"image"` // by digest
	Digest    v1.Hash             `json:"digest"`
	MediaType types.MediaType     `json:"mediaType"`
	Index     bool                `json:"index"` // an index, or one image
	Platforms []InspectedPlatform `json:"platforms"`
	Notes     []string            `json:"notes,omitempty"`
}

// InspectedPlatform is the bake in the image of one platform.
type InspectedPlatform struct {
	Platform string          `json:"platform"`
	Digest   v1.Hash         `json:"digest"`
	Recorded bool            `json:"recorded"` // whether it has a record of its bake
	Base     InspectedBase   `json:"base"`
	Bindings engine.Bindings `json:"bindings"`
	Files    []InspectedFile `json:"files"`
	// Layers are those of the bake; without a record, those that bound files
	// were found in.
	Layers []ReportLayer `json:"layers"`
	// Env, Labels and Annotations are what the bake set; without a record, Env
	// is the variables of the engine contract.
	Env         InspectedChange `json:"env"`
	Labels      InspectedChange `json:"labels"`
	Annotations InspectedChange `json:"annotations"`
	// Findings are about the bindings alone; Verify looks at the files.
	Findings []engine.Finding `json:"findings"`
	// Record is the image's own; nil without one.
	Record *Record `json:"-"`
}

// InspectedBase is the base of a bake, as far as the image tells.
type InspectedBase struct {
	Name   string   `json:"name,omitempty"`
	Digest *v1.Hash `json:"digest,omitempty"` // of the manifest for the platform
	Index  *v1.Hash `json:"index,omitempty"`  // that the manifest was chosen from
	Layers int      `json:"layers,omitempty"`
}

// InspectedFile is a baked file, or a directory or unpacked archive as one.
type InspectedFile struct {
	RecordedFile
	Layer *v1.Hash `json:"layer,omitempty"` // that holds it; nil where that was not read
}

// InspectedChange is what a bake set and what it replaced.
type InspectedChange struct {
	Set      map[string]string `json:"set,omitempty"`
	Replaced map[string]string `json:"replaced,omitempty"`
}

// Inspect reads what is baked into the image at ref, whoever baked it: a
// variable of the engine contract makes it one. Of a multi-platform image it
// reads the platforms that satisfy one of platforms, or all without any. With
// a record of the bake it reads manifests and configs only; without, it reads
// layers from the top down until every bound file is found. ErrNotFound is for
// an image that nothing is baked into, and ErrIntegrity for a record that does
// not fit its image.
func Inspect(ctx context.Context, ref string, remote *Remote, platforms ...v1.Platform) (*Inspection, error) {
	img, err := open(ctx, "image", ref, remote.orDefault(), platforms, func(int) {})
	if err != nil {
		return nil, err
	}
	defer img.Close() // was opened for reading only
	out := &Inspection{
		Image:     img.location.withDigest(img.desc.Digest.String()),
		Digest:    img.desc.Digest,
		MediaType: img.desc.MediaType,
		Index:     img.index != nil,
		Notes:     img.notes,
	}
	for _, one := range img.images {
		p, err := img.inspect(ctx, one)
		if err != nil {
			return nil, &sideError{img.side, fmt.Errorf("platform %s: %w", one.platform, err)}
		}
		out.Platforms = append(out.Platforms, *p)
	}
	return out, nil
}

// inspect reads what is baked into one platform's image.
func (b *Base) inspect(ctx context.Context, img *baseImage) (*InspectedPlatform, error) {
	p := &InspectedPlatform{Platform: img.platform.String(), Digest: img.desc.Digest, Files: []InspectedFile{}, Layers: []ReportLayer{}}
	p.Bindings, p.Findings = engine.Decode(img.config.env)
	if len(contractEnv(envMap(img.config.env))) == 0 {
		return nil, fmt.Errorf("nothing is baked into it: its environment has none of %s: %w", strings.Join(contractVariables, ", "), ErrNotFound)
	}
	if p.Findings == nil {
		p.Findings = []engine.Finding{}
	}
	record, err := recordOf(img.config)
	if err != nil && !errors.Is(err, errUponBake) {
		return nil, err
	}
	if record == nil || err != nil {
		p.Env.Set = envMap(contractEnv(envMap(img.config.env)))
		p.Base.Name = img.manifest.Annotations[baseNameAnnotation]
		if h, err := v1.NewHash(img.manifest.Annotations[baseDigestAnnotation]); err == nil {
			p.Base.Digest = &h
		}
		return p, b.locate(ctx, img, p)
	}
	baked, err := b.unbake(img, record)
	if err != nil {
		return nil, err
	}
	p.describe(baked)
	if len(record.Assets) == 0 && len(record.Layers) > 0 {
		return p, b.locate(ctx, img, p)
	}
	return p, nil
}

// describe fills in what the record tells.
func (p *InspectedPlatform) describe(img *bakedImage) {
	r := img.record
	p.Recorded, p.Record = true, r
	p.Base = InspectedBase{Name: r.Base.Name, Digest: &r.Base.Digest, Layers: r.Base.Layers}
	if r.Base.Index != nil {
		p.Base.Index = &r.Base.Index.Digest
	}
	p.Env = InspectedChange{img.patch.env, r.Env.Replaced}
	p.Labels = InspectedChange{img.patch.labels, r.Labels.Replaced}
	p.Annotations = InspectedChange{Set: img.patch.annotations}
	for _, k := range slices.Sorted(maps.Keys(img.patch.annotations)) {
		if old, ok := r.Annotations.Replaced[k]; ok {
			if p.Annotations.Replaced == nil {
				p.Annotations.Replaced = map[string]string{}
			}
			p.Annotations.Replaced[k] = old
		}
	}
	byClass := map[string]*v1.Hash{}
	for _, l := range img.patch.layers {
		desc := l.found.desc
		p.Layers = append(p.Layers, ReportLayer{Class: l.class, Digest: desc.Digest, DiffID: l.found.diffID, Size: desc.Size, MediaType: desc.MediaType})
		byClass[l.class] = &desc.Digest
	}
	for _, f := range r.Assets {
		at := byClass[classOf(f.Role)]
		if at == nil {
			at = byClass[sharedClass]
		}
		p.Files = append(p.Files, InspectedFile{f, at})
	}
}

// classOf is the class of layers for files of a role.
func classOf(role Role) string {
	for _, c := range classes {
		if slices.Contains(c.roles, role) {
			return c.name
		}
	}
	return ""
}

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
	for _, path := range missing() {
		p.Findings = append(p.Findings, engine.Finding{
			Rule: "ENV-08", Severity: engine.Error, File: path,
			Message: "no such file in the image", Hint: "bake it, or bind another file",
		})
	}
	if p.Recorded {
		return nil
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
