// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
	"github.com/crane-bake/crane-bake/internal/spelling"
)

// check applies the engine contract to what the plan will bake. The base is
// not known yet, so what it may hold is never called missing.
func (p *Plan) check(contents []engine.File) []engine.Finding {
	img := engine.Image{Base: p.spec.Base, Files: contents, Dirs: p.ownDirs()}
	bindings := p.bindings
	if verbatim := contractEnv(p.spec.Env); len(verbatim) > 0 {
		// Variables that were written by hand are read as an engine does.
		img.Env = append(p.own.Env(), verbatim...)
	} else {
		if bindings.ConnectPrefix == "" {
			bindings.ConnectPrefix = DefaultConnectPrefix
		}
		img.Bindings = &bindings
	}
	return engine.Check(img, engine.Options{})
}

// ownDirs are the directories that the bake fills alone: a path below one of
// them that is not baked does not exist.
func (p *Plan) ownDirs() []string {
	dirs := []string{p.spec.AssetsDir}
	for _, it := range p.items {
		if it.tree && !slices.Contains(dirs, it.Path) {
			dirs = append(dirs, it.Path)
		}
	}
	return slices.DeleteFunc(dirs, func(dir string) bool {
		first, _, _ := strings.Cut(strings.TrimPrefix(dir, "/"), "/")
		return first == "" || ofBase(first)
	})
}

// content describes an entry to the checker. Its file is name in fsys, or is
// not at hand where fsys is nil.
func content(e layer.Entry, fsys fs.FS, name string) engine.File {
	f := engine.File{Path: "/" + e.Name, Mode: e.Mode, Size: e.Size, Link: e.Linkname, Baked: true, Source: name}
	switch e.Type {
	case tar.TypeDir:
		f.Mode |= fs.ModeDir
	case tar.TypeSymlink:
		f.Mode |= fs.ModeSymlink
	case tar.TypeReg:
		if fsys != nil {
			f.Open = func() (io.ReadCloser, error) { return fsys.Open(name) }
		}
	}
	return f
}

// below is the name in the file system of what was placed at name, where root
// was placed at dest.
func below(name, dest, root string) string {
	return path.Join(root, strings.TrimPrefix(strings.TrimPrefix("/"+name, path.Clean("/"+dest)), "/"))
}

// knownRules refuses rules that the contract does not have: a slip would allow
// nothing, silently.
func knownRules(allow []string) error {
	var known []string
	for _, r := range engine.Rules() {
		known = append(known, r.ID)
	}
	for _, rule := range allow {
		if slices.Contains(known, rule) {
			continue
		}
		if near := spelling.Nearest(rule, known); near != "" {
			return usagef("allow: there is no rule %s; did you mean %s?", rule, near)
		}
		return usagef("allow: there is no rule %s", rule)
	}
	return nil
}

// allowed turns the findings that Spec.Allow names into notes.
func (s Spec) allowed(findings []engine.Finding) []engine.Finding {
	for i, f := range findings {
		if slices.Contains(s.Allow, f.Rule) && !slices.Contains(impossible, f.Rule) && f.Severity > engine.Note {
			findings[i].Message += " (allowed)"
			findings[i].Severity = engine.Note
		}
	}
	return findings
}

// Findings is what the engine contract has to say about the bake, in the order
// of the check; those of allowed rules are notes.
func (p *Plan) Findings() []engine.Finding { return slices.Clone(p.findings) }

// secretRule is the rule about secrets in plain text.
const secretRule = "SD-54"

// Verdict is nil, or a CheckError where a finding forbids the bake: an error,
// or with strict a warning too. With strict, a secret in plain text is an
// error.
func (p *Plan) Verdict(strict bool) error {
	limit := engine.Error
	if strict {
		limit = engine.Warning
	}
	for _, f := range p.findings {
		if f.Severity >= limit {
			findings := p.Findings()
			for i := range findings {
				if strict && findings[i].Rule == secretRule && findings[i].Severity == engine.Warning {
					findings[i].Severity = engine.Error
				}
			}
			return &CheckError{Findings: findings}
		}
	}
	return nil
}

// impossible is the rules that even a bake without a check obeys: their
// variables would not say what the Spec says, or a file would be missing.
var impossible = []string{"ENV-02", "ENV-04", "ENV-05", "ENV-07", "ENV-09", "ENV-17"}

// possible is nil, or a CheckError where the bake cannot be expressed.
func (p *Plan) possible() error {
	for _, f := range p.findings {
		if f.Severity == engine.Error && slices.Contains(impossible, f.Rule) {
			return &CheckError{Findings: []engine.Finding{f}}
		}
	}
	return nil
}
