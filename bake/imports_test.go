// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/crane-bake/crane-bake/"

// deps is the packages that pkg is made of.
func deps(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", module+pkg).Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := strings.Fields(string(out))
	if !slices.Contains(all, module+pkg) {
		t.Fatalf("go list: %q", out)
	}
	return all
}

// The parts know nothing of each other, and importers of bake build no parser
// of its front ends.
func TestImports(t *testing.T) {
	parts := []string{"internal/layer", "internal/registry", "internal/layout", "bake/engine"}
	for _, part := range parts {
		for _, dep := range deps(t, part) {
			own, ok := strings.CutPrefix(dep, module)
			if !ok || own == part || strings.HasPrefix(own, part+"/") {
				continue
			}
			if own == "bake" || own == "bake/bakefile" || slices.ContainsFunc(parts, func(other string) bool { return own == other || strings.HasPrefix(own, other+"/") }) {
				t.Errorf("%s imports %s", part, own)
			}
		}
	}
	// A model may be written in YAML, so the engine contract has that parser.
	engine := deps(t, "bake/engine")
	for _, dep := range deps(t, "bake") {
		for _, parser := range []string{"yaml", "buildkit", "dockerfile", "bake/bakefile", "spf13", "internal/registrytest", "internal/regserver", module + "cmd", "testing"} {
			if strings.Contains(dep, parser) && !slices.Contains(engine, dep) {
				t.Errorf("bake imports %s", dep)
			}
		}
	}
}
