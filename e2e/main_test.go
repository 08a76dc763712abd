// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package e2e_test runs the crane-bake command against programs that other
// people wrote: a registry, readers, builders and runners of images. The
// script scripts/install-peers installs them; one that is missing is a
// failure.
//
// The suite runs as root and as anybody else. What only root can do, to be the
// user that an image names or to own files as another, is done in a user
// namespace otherwise; see needNamespaces.
package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The programs under test: crane-bake, and the engine that stands in base
// images. TestMain builds them.
var craneBake, engine string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

// binaries names a directory that has the programs already, for testers who
// have no go command.
const binaries = "CRANE_BAKE_BIN"

func testMain(m *testing.M) int {
	dir := os.Getenv(binaries)
	if dir == "" {
		built, err := build()
		defer os.RemoveAll(built)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		dir = built
	}
	craneBake, engine = filepath.Join(dir, "crane-bake"), filepath.Join(dir, "engine")
	return m.Run()
}

// build makes a directory with the programs.
func build() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "crane-bake-e2e-"); err != nil {
		return "", err
	}
	// Other users run what is built here.
	if err := os.Chmod(dir, 0o755); err != nil {
		return dir, err
	}
	for _, source := range []string{"../cmd/crane-bake", "../examples/engine"} {
		cmd := exec.Command("go", "build", "-trimpath", "-o", dir+"/", source)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // the images have nothing but the engine
		if out, err := cmd.CombinedOutput(); err != nil {
			return dir, fmt.Errorf("building %s: %w\n%s", source, err, out)
		}
	}
	return dir, nil
}

// scorer is the directory of the example that most tests bake.
const scorer = "../examples/scorer"

// A result is what the tests read of the report of a bake.
type result struct {
	Digest   string
	Transfer map[string]int64
}

// bakeScorer bakes the example onto base and publishes it at dst.
func bakeScorer(t testing.TB, base, dst string, flags ...string) result {
	t.Helper()
	args := []string{"build", "--quiet", "--format", "json", "-f", filepath.Join(scorer, "bake.yaml"), "-b", base, "-t", dst}
	var r result
	out := run(t, craneBake, append(args, flags...)...)
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("reading the report: %v\n%s", err, out)
	}
	return r
}

// copyScorer copies the example into a new directory in dir, readable by
// everybody.
func copyScorer(t testing.TB, dir string) string {
	t.Helper()
	to := filepath.Join(dir, "scorer")
	if err := os.CopyFS(to, os.DirFS(scorer)); err != nil {
		t.Fatal(err)
	}
	openUp(t, to)
	return to
}

// run is the standard output of a program that must succeed.
func run(t testing.TB, program string, args ...string) []byte {
	t.Helper()
	return output(t, command(t, program, args...))
}

func output(t testing.TB, cmd *exec.Cmd) []byte {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s%s", strings.Join(cmd.Args, " "), err, &stdout, &stderr)
	}
	return stdout.Bytes()
}

// command is a program that sees nothing of the tester's environment but PATH:
// not his credentials, his settings or his proxy.
func command(t testing.TB, program string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + t.TempDir()}
	return cmd
}
