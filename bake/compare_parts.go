// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A PlatformDifference says how the images for one platform differ. What is the
// same in both is left out.
type PlatformDifference struct {
	Platform      string         `json:"platform"`
	Identical     bool           `json:"identical"` // the same digest: nothing else was looked at
	Base          *BaseChange    `json:"base,omitempty"`
	ConnectPrefix *Change        `json:"connectPrefix,omitempty"`
	Bindings      []Change       `json:"bindings"` // "model", "schema NAME", "stream SLOT", "attachment PATH": in-image paths
	Files         []FileChange   `json:"files"`    // by path
	Schemas       []SchemaChange `json:"schemas"`  // bound under one name in both
	// Env, Labels, Annotations and Settings are what the bakes set: variables
	// but for the contract's own, labels, annotations, and further members of
	// the config as JSON. Where a side has no record of its bake they are those
	// of the whole images.
	Env         []Change        `json:"env"`
	Labels      []Change        `json:"labels"`
	Annotations []Change        `json:"annotations"`
	Settings    []Change        `json:"settings"`
	Layers      LayerDifference `json:"layers"`
}

func newPlatformDifference(platform string) *PlatformDifference {
	return &PlatformDifference{
		Platform: platform, Bindings: []Change{}, Files: []FileChange{}, Schemas: []SchemaChange{},
		Env: []Change{}, Labels: []Change{}, Annotations: []Change{}, Settings: []Change{},
		Layers: LayerDifference{Shared: []ReportLayer{}, OnlyA: []ReportLayer{}, OnlyB: []ReportLayer{}},
	}
}

// A BaseChange is two bases, which differ.
type BaseChange struct {
	A InspectedBase `json:"a"`
	B InspectedBase `json:"b"`
}

// A Change is a value that differs; nil is for a side without it.
type Change struct {
	Name string  `json:"name"`
	A    *string `json:"a,omitempty"`
	B    *string `json:"b,omitempty"`
}

// A FileChange is a baked file, or a directory or archive as one, that differs.
type FileChange struct {
	Path string `json:"path"`
	// As is what it was baked as: "model", "schema NAME", "asset", …
	As []string     `json:"as"`
	A  *FileContent `json:"a,omitempty"` // nil where A does not have it
	B  *FileContent `json:"b,omitempty"`
}

// FileContent identifies content; see RecordedFile.
type FileContent struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Files  int    `json:"files,omitempty"`
}

// LayerDifference is the layers of the bakes.
type LayerDifference struct {
	Shared []ReportLayer `json:"shared"`
	OnlyA  []ReportLayer `json:"onlyA"`
	OnlyB  []ReportLayer `json:"onlyB"`
	// NewBytes is the size of all layers of B, its base's included, that A does
	// not have: what a host that runs A has to pull for B.
	NewBytes int64 `json:"newBytes"`
}

// comparedSide is one image of a comparison.
type comparedSide struct {
	*Base
	img  *baseImage
	what *InspectedPlatform

	modelRead bool // whether what.Slots has the model's word
}

// A comparison is that of the images for one platform.
type comparison struct {
	difference *Difference
	sides      [2]comparedSide
	out        *PlatformDifference
}

// compare compares all but the schemas' contents.
func (c *comparison) compare() error {
	a, b := c.sides[0].what, c.sides[1].what
	c.base()
	prefix := func(p *InspectedPlatform) map[string]string {
		if p.Bindings.ConnectPrefix == "" {
			return nil
		}
		return map[string]string{"CONNECT_PREFIX": p.Bindings.ConnectPrefix}
	}
	if changed := mapChanges(prefix(a), prefix(b)); len(changed) > 0 {
		c.out.ConnectPrefix = &changed[0]
	}
	c.out.Bindings = mapChanges(bindingsByName(a.Bindings), bindingsByName(b.Bindings))
	c.files()
	c.layers()
	return c.values()
}

// bindingsByName is what bindings bind, by the names of PlatformDifference.
func bindingsByName(b engine.Bindings) map[string]string {
	out := map[string]string{}
	for _, f := range boundFiles(b) {
		if f.Role == RoleAttachment {
			f.Name = f.Path
		}
		out[describe(f.Role, f.Name)] = f.Path
	}
	return out
}

// mapChanges is what differs between two maps, sorted by key.
func mapChanges(a, b map[string]string) []Change {
	out := []Change{}
	for _, k := range slices.Sorted(maps.Keys(union(a, b))) {
		x, inA := a[k]
		y, inB := b[k]
		if inA == inB && x == y {
			continue
		}
		c := Change{Name: k}
		if inA {
			c.A = &x
		}
		if inB {
			c.B = &y
		}
		out = append(out, c)
	}
	return out
}

// union is the keys of two maps.
func union[V any](a, b map[string]V) map[string]bool {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	return keys
}

// layers compares layers by digest.
func (c *comparison) layers() {
	has := func(side comparedSide, digest v1.Hash) bool {
		if !side.what.Recorded { // more layers may be of the bake than were looked at
			return slices.ContainsFunc(side.img.manifest.Layers, func(d v1.Descriptor) bool { return d.Digest == digest })
		}
		return slices.ContainsFunc(side.what.Layers, func(l ReportLayer) bool { return l.Digest == digest })
	}
	out, a, b := &c.out.Layers, c.sides[0], c.sides[1]
	for _, l := range a.what.Layers {
		if has(b, l.Digest) {
			out.Shared = append(out.Shared, l)
		} else {
			out.OnlyA = append(out.OnlyA, l)
		}
	}
	for _, l := range b.what.Layers {
		if !has(a, l.Digest) {
			out.OnlyB = append(out.OnlyB, l)
		}
	}
	held := map[v1.Hash]bool{}
	for _, desc := range c.sides[0].img.manifest.Layers {
		held[desc.Digest] = true
	}
	for _, desc := range c.sides[1].img.manifest.Layers {
		if !held[desc.Digest] {
			held[desc.Digest] = true
			out.NewBytes += desc.Size
		}
	}
}
