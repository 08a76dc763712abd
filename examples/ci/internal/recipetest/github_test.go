// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package recipetest_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rhysd/actionlint"
)

// lint is what actionlint says of a workflow in a repository that has the action.
func lint(t *testing.T, workflow string) []*actionlint.Error {
	t.Helper()
	repository := t.TempDir()
	for name, content := range map[string]string{
		".git/HEAD":                  "ref: refs/heads/main\n",
		".github/workflows/bake.yml": workflow,
		".github/actions/action.yml": read(t, "github/action.yml"),
	} {
		name = filepath.Join(repository, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	project, err := actionlint.NewProject(repository)
	if err != nil {
		t.Fatal(err)
	}
	linter, err := actionlint.NewLinter(io.Discard, &actionlint.LinterOptions{WorkingDir: repository})
	if err != nil {
		t.Fatal(err)
	}
	found, err := linter.LintFile(filepath.Join(repository, ".github/workflows/bake.yml"), project)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestGitHub(t *testing.T) {
	// Of an action in the same repository, actionlint knows the inputs and outputs.
	const here = "./.github/actions"
	text := strings.ReplaceAll(read(t, "github/workflow.yml"), "crane-bake/crane-bake/examples/ci/github@main", here)
	for _, e := range lint(t, text) {
		t.Error(e)
	}
	for name, wrong := range map[string]string{
		"unknown input":  replace(t, text, "args: --dry-run", "flags: --dry-run"),
		"unknown output": replace(t, text, "steps.bake.outputs.digest", "steps.bake.outputs.hash"),
		"no version":     replace(t, text, "actions/checkout@v4", "actions/checkout"),
		"unknown event":  replace(t, text, "pull_request:", "pull_requests:"),
	} {
		if len(lint(t, wrong)) == 0 {
			t.Errorf("%s: valid", name)
		}
	}
}
