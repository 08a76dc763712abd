// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A PlatformDifference says how the images for one platform differ. What is the
// same in both is left out.
type PlatformDifference struct {
	Platform      string          `json:"platform"`
	Identical     bool            `json:"identical"` // the same digest: nothing else was looked at
	Base          *BaseChange     `json:"base,omitempty"`
	ConnectPrefix *Change         `json:"connectPrefix,omitempty"`
	Bindings      []Change        `json:"bindings"`    // "model", "schema NAME", "stream SLOT", "attachment PATH": in-image paths
	Files         []FileChange    `json:"files"`       // by path
	Schemas       []SchemaChange  `json:"schemas"`     // bound under one name in both
	Env           []Change        `json:"env"`         // that the bakes set, but for the contract's own
	Labels        []Change        `json:"labels"`      // that the bakes set
	Annotations   []Change        `json:"annotations"` // that the bakes set
	Settings      []Change        `json:"settings"`    // further members of the config that the bakes set, as JSON
	Layers        LayerDifference `json:"layers"`
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
func (c *comparison) compare() {
	a, b := c.sides[0].what, c.sides[1].what
	if !sameBase(a.Base, b.Base) {
		c.out.Base = &BaseChange{a.Base, b.Base}
	}
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
	c.out.Env = mapChanges(ownEnv(a), ownEnv(b))
	c.out.Labels = mapChanges(a.Labels.Set, b.Labels.Set)
	c.out.Annotations = mapChanges(a.Annotations.Set, b.Annotations.Set)
	c.out.Settings = mapChanges(texts(a.Settings), texts(b.Settings))
	c.files()
	c.layers()
}

// sameBase compares bases by digest, where both are known.
func sameBase(a, b InspectedBase) bool {
	if a.Digest == nil || b.Digest == nil {
		return a.Digest == b.Digest && a.Name == b.Name
	}
	return *a.Digest == *b.Digest && a.Name == b.Name
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

// ownEnv is the variables that a bake set, without the contract's.
func ownEnv(p *InspectedPlatform) map[string]string {
	env := maps.Clone(p.Env.Set)
	for _, k := range contractVariables {
		delete(env, k)
	}
	return env
}

func texts(m map[string]json.RawMessage) map[string]string {
	out := map[string]string{}
	for k, raw := range m {
		out[k] = string(raw)
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
	has := func(layers []ReportLayer, digest v1.Hash) bool {
		return slices.ContainsFunc(layers, func(l ReportLayer) bool { return l.Digest == digest })
	}
	out, a, b := &c.out.Layers, c.sides[0].what.Layers, c.sides[1].what.Layers
	for _, l := range a {
		if has(b, l.Digest) {
			out.Shared = append(out.Shared, l)
		} else {
			out.OnlyA = append(out.OnlyA, l)
		}
	}
	for _, l := range b {
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
