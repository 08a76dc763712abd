// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// A Plan is a Spec whose files were found and checked: what will be baked, but
// not yet onto which base. It holds no file's content.
type Plan struct {
	spec      Spec
	items     []*item
	own       engine.Bindings // of the Spec's own fields
	bindings  engine.Bindings // with what Spec.Env says word for word
	platforms []v1.Platform
	contents  []engine.File // for the check
	findings  []engine.Finding
	layers    []*bakedLayer
	dirs      map[string]layer.Entry // that are not just 0755 and root's
	toLayout  bool                   // a tag is in an OCI image layout
}

// NewPlan finds the files of spec, checks them against the engine contract,
// and spreads them over layers. It reads no network. What the contract has to
// say is in Findings; the error is about files that cannot be read
// (ErrNotFound) and fields that make no sense (ErrUsage).
func NewPlan(ctx context.Context, spec Spec) (*Plan, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	if err := knownRules(spec.Allow); err != nil {
		return nil, err
	}
	p := &Plan{spec: spec}
	if p.platforms, err = parsePlatforms(spec.Platforms); err != nil {
		return nil, err
	}
	if p.toLayout, err = anyLayout(spec.Tags); err != nil {
		return nil, err
	}
	p.own = bindingsOf(spec)
	p.bindings = p.own
	if verbatim := contractEnv(spec.Env); len(verbatim) > 0 {
		p.bindings, _ = engine.Decode(append(p.own.Env(), verbatim...)) // the check says what is wrong
	}
	listed, err := list(ctx, spec, p.bindings)
	if err != nil {
		return nil, err
	}
	p.items, p.dirs = listed.items, listed.dirs
	p.contents = listed.contents
	p.findings = allowed(p.check(), spec.Allow)
	if p.layers, err = layersOf(listed.items, listed.dirs, spec); err != nil {
		return nil, err
	}
	return p, nil
}

// withDefaults fills in what a zero field stands for, and refuses what no
// bake could mean.
func (s Spec) withDefaults() (Spec, error) {
	if s.FS == nil {
		root, err := os.OpenRoot(".")
		if err != nil {
			return s, err
		}
		s.FS = root.FS()
	}
	if s.Base == "" {
		s.Base = DefaultBase
	}
	// The caller may go on with the maps for another bake.
	s.Env, s.Labels, s.Annotations = maps.Clone(s.Env), maps.Clone(s.Labels), maps.Clone(s.Annotations)
	s.Schemas, s.Streams, s.Unpack = maps.Clone(s.Schemas), maps.Clone(s.Streams), maps.Clone(s.Unpack)
	s.Attachments, s.Assets, s.Copies = slices.Clone(s.Attachments), slices.Clone(s.Assets), slices.Clone(s.Copies)
	if s.AssetsDir == "" {
		s.AssetsDir = DefaultAssetsDir
	}
	if !path.IsAbs(s.AssetsDir) || path.Clean(s.AssetsDir) != s.AssetsDir || s.AssetsDir == "/" {
		return s, usagef("assets directory %q: want an absolute in-image path such as %s", s.AssetsDir, DefaultAssetsDir)
	}
	if s.Compression.Algorithm == "" {
		s.Compression.Algorithm = Gzip
	}
	if s.Layers == "" {
		s.Layers = LayersAuto
	}
	if _, err := ParseCompression(s.Compression.String()); err != nil {
		return s, usagef("%v", err)
	}
	if _, err := ParseLayerMode(string(s.Layers)); err != nil {
		return s, usagef("%v", err)
	}
	for _, a := range s.Assets {
		if a.Path == "" {
			return s, usagef("asset %q: no path", "="+a.Dest)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(s.Dirs)) {
		if !path.IsAbs(dir) || path.Clean(dir) != dir || dir == "/" {
			return s, usagef("directory %q: want an absolute in-image path", dir)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(s.Env)) {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(s.Env[k], "\x00") {
			return s, usagef("environment variable %q: not a name that an environment can hold", k)
		}
		if s.owns(k) {
			return s, usagef("environment variable %s is set by the bake itself; say it with its own field or flag", k)
		}
	}
	if _, taken := s.Labels[RecordLabel]; taken {
		return s, usagef("label %s is set by the bake itself", RecordLabel)
	}
	return s, nil
}

// contractVariables are the engine contract's variables.
var contractVariables = engine.Variables()

// owns reports whether a variable of the contract is set by a field of s.
func (s Spec) owns(variable string) bool {
	switch variable {
	case "MODEL":
		return s.Model != ""
	case "SCHEMAS":
		return len(s.Schemas) > 0
	case "STREAMS":
		return len(s.Streams) > 0
	case "ATTACHMENTS":
		return len(s.Attachments) > 0
	case "CONNECT_PREFIX":
		return s.ConnectPrefix != ""
	}
	return false
}

// contractEnv is the part of env that the contract speaks of.
func contractEnv(env map[string]string) []string {
	var out []string
	for _, k := range contractVariables {
		if v, ok := env[k]; ok {
			out = append(out, k+"="+v)
		}
	}
	return out
}

// bindingsOf is what the fields of spec make the contract's variables say.
func bindingsOf(spec Spec) engine.Bindings {
	b := engine.Bindings{
		Schemas:       map[string]string{},
		Streams:       map[int]string{},
		ConnectPrefix: spec.ConnectPrefix,
	}
	if spec.Model != "" {
		b.Model = place(spec.AssetsDir, spec.Model)
	}
	for name, file := range spec.Schemas {
		b.Schemas[name] = place(spec.AssetsDir, file)
	}
	for slot, file := range spec.Streams {
		b.Streams[slot] = place(spec.AssetsDir, file)
	}
	for _, file := range spec.Attachments {
		b.Attachments = append(b.Attachments, place(spec.AssetsDir, file))
	}
	return b
}

// Env is the environment variables that the bake sets, each KEY=VALUE, in
// their order in the image. CONNECT_PREFIX is the default unless the base has
// its own value.
func (p *Plan) Env() []string {
	return patch{env: p.env()}.envOn("")
}

// env is the variables that the Spec sets.
func (p *Plan) env() map[string]string {
	env := envMap(p.own.Env())
	maps.Copy(env, p.spec.Env)
	return env
}

// Files lists what is baked, in a fixed order.
func (p *Plan) Files() []File {
	files := make([]File, len(p.items))
	for i, it := range p.items {
		files[i] = it.File
	}
	return files
}
