// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/crane-bake/crane-bake/"

// imports is what the package in the module's directory dir imports, on any
// platform. The sources are read themselves: where the tests run without a
// HOME, the go command has no cache and lists nothing.
func imports(t *testing.T, dir string) []string {
	t.Helper()
	// The tests run in the directory of package bake.
	files, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(dir), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			found[must[string](t)(strconv.Unquote(spec.Path.Value))] = true
		}
	}
	if len(found) == 0 {
		t.Fatalf("no sources in %s", dir)
	}
	return slices.Sorted(maps.Keys(found))
}

// deps is the module's packages that the one in dir is made of, itself
// included, with what each imports.
func deps(t *testing.T, dir string) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	var visit func(dir string)
	visit = func(dir string) {
		if all[dir] != nil {
			return
		}
		all[dir] = imports(t, dir)
		for _, dep := range all[dir] {
			if own, ok := strings.CutPrefix(dep, module); ok {
				visit(own)
			}
		}
	}
	visit(dir)
	return all
}

// within reports whether dir is tree or below it.
func within(dir, tree string) bool { return dir == tree || strings.HasPrefix(dir, tree+"/") }

// The parts know nothing of each other, nor of package bake.
func TestPartsStayApart(t *testing.T) {
	parts := []string{"internal/layer", "internal/registry", "internal/layout", "bake/engine"}
	for _, part := range parts {
		for dep := range deps(t, part) {
			other := func(p string) bool { return p != part && within(dep, p) }
			if dep == "bake" || within(dep, "bake/bakefile") || within(dep, "cmd") || slices.ContainsFunc(parts, other) {
				t.Errorf("%s imports %s", part, dep)
			}
		}
	}
}

// Who imports bake builds neither its front ends nor their parsers. The engine
// contract has a YAML parser of its own, since a model may be written in YAML.
func TestImportersStayLean(t *testing.T) {
	for dir, list := range deps(t, "bake") {
		for _, front := range []string{"bake/bakefile", "cmd", "internal/registrytest", "internal/regserver", "internal/bench"} {
			if within(dir, front) {
				t.Errorf("bake is made of %s", dir)
			}
		}
		for _, dep := range list {
			for _, parser := range []string{"yaml", "buildkit", "dockerfile", "pflag", "testing"} {
				if strings.Contains(strings.TrimPrefix(dep, module), parser) && !within(dir, "bake/engine") {
					t.Errorf("%s imports %s", dir, dep)
				}
			}
		}
	}
	if _, err := os.Stat(path.Join("bakefile", "bakefile.go")); err != nil {
		t.Errorf("the front ends are somewhere else: %v", err)
	}
}
