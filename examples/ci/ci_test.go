// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package ci_test runs the scripts of the recipes as their platforms do: read
// from the recipes, with the platform's variables and no others, as a user
// without privileges and without HOME: once against registries with tokens, and
// once against docker-registry. Whether the platforms take the files is the
// business of internal/recipetest.
package ci_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// binaries is the directory with crane-bake. TestMain builds it.
var binaries string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	// Testers who have no go command say where the program is.
	if binaries = os.Getenv("CRANE_BAKE_BIN"); binaries != "" {
		return runTwice(m)
	}
	dir, err := os.MkdirTemp("", "crane-bake-ci-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binaries = dir
	cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", "../../cmd/crane-bake")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err := errors.Join(err, os.Chmod(dir, 0o755)); err != nil {
		fmt.Fprintf(os.Stderr, "building crane-bake: %v\n%s", err, out)
		return 1
	}
	return runTwice(m)
}

// runTwice runs the tests against each kind of registry.
func runTwice(m *testing.M) int {
	if code := m.Run(); code != 0 {
		return code
	}
	startRegistry = startDocker
	return m.Run()
}
