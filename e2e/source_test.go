// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// needGo ends a test that builds programs where the tester was given built ones,
// because he has no go command.
func needGo(t testing.TB) {
	t.Helper()
	if os.Getenv(binaries) != "" {
		t.Skipf("%s is set: there is no go command to build with", binaries)
	}
}

// sourceParts are what the command is built from.
var sourceParts = []string{"bake", "cmd", "examples", "internal", "go.mod", "go.sum", "Makefile"}

// commitSource makes two repositories with the source as their one commit. The
// modes of the second one's files are their owner's alone.
func commitSource(t testing.TB) (here, there string) {
	t.Helper()
	here, there = filepath.Join(t.TempDir(), "here"), filepath.Join(t.TempDir(), "elsewhere")
	copySource(t, here)
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "."}, {"commit", "--quiet", "-m", "All"}} {
		output(t, git(t, here, args...))
	}
	clone := git(t, ".", "clone", "--quiet", here, there)
	clone.Path, clone.Args = "/bin/sh", append([]string{"sh", "-c", `umask 077; exec "$@"`, "sh"}, clone.Args...)
	output(t, clone)
	return here, there
}

func copySource(t testing.TB, dir string) {
	t.Helper()
	for _, part := range sourceParts {
		from, to := filepath.Join("..", part), filepath.Join(dir, part)
		info, err := os.Stat(from)
		if err == nil && info.IsDir() {
			err = os.CopyFS(to, os.DirFS(from))
		} else if err == nil {
			err = copyFile(from, to)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func copyFile(from, to string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o644)
}

// commitTime is when the commit of commitSource was made, in UTC.
const commitTime = "2026-02-03 04:05:06"

// git is a git command whose settings are the test's.
func git(t testing.TB, dir string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := withHome(t, command(t, "git", args...))
	cmd.Dir = dir
	cmd.Env = append(cmd.Env, "GIT_CONFIG_NOSYSTEM=1", "GIT_COMMITTER_DATE="+commitTime+" +0000", "GIT_AUTHOR_DATE="+commitTime+" +0000",
		"GIT_AUTHOR_NAME=Tester", "GIT_COMMITTER_NAME=Tester", "GIT_AUTHOR_EMAIL=tester@example.com", "GIT_COMMITTER_EMAIL=tester@example.com")
	return cmd
}
