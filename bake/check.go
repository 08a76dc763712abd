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
)

// check applies the engine contract to what the plan will bake. The base is
// not known yet, so what it may hold is never called missing.
func (p *Plan) check() []engine.Finding {
	img := engine.Image{Base: p.spec.Base, Files: p.contents, Dirs: p.ownDirs()}
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

// checkOn is what check finds now that the base is known, whose variables stay
// where the bake does not set them.
func (p *Plan) checkOn(base *Base) []engine.Finding {
	findings := p.findings
	seen := map[string]bool{}
	for i, img := range base.images {
		if len(contractEnv(envMap(img.config.env))) == 0 {
			continue // it has no part in the contract
		}
		prefix, _ := value(img.config.env, "CONNECT_PREFIX")
		env, _ := setEnv(img.config.env, patch{env: p.env()}.envOn(prefix))
		if key := strings.Join(contractEnv(envMap(img.config.env)), "\n"); !seen[key] {
			seen[key] = true
			found := engine.Check(engine.Image{Env: env, BaseEnv: img.config.env, Base: p.spec.Base, Files: p.contents, Dirs: p.ownDirs()}, engine.Options{})
			if i == 0 {
				findings = nil
			}
			for _, f := range allowed(found, p.spec.Allow) {
				if !slices.Contains(findings, f) {
					findings = append(findings, f)
				}
			}
		}
	}
	return findings
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
