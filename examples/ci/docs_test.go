// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

var pages = []string{"../../docs/ci.md", "../../docs/scale.md"}

// What the pages link to is there, and there is no recipe without a link.
func TestDocsLinks(t *testing.T) {
	t.Parallel()
	linked := map[string]bool{}
	for _, page := range pages {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(recipe(t, page), -1) {
			target := filepath.Join(filepath.Dir(page), m[1])
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			linked[target] = true
		}
	}
	recipes, err := filepath.Glob("*/*")
	if err != nil || len(recipes) == 0 {
		t.Fatalf("recipes %q, error %v", recipes, err)
	}
	for _, name := range recipes {
		if !strings.HasPrefix(name, "internal") && !linked[filepath.Join("../../examples/ci", name)] {
			t.Errorf("docs/ci.md does not name %s", name)
		}
	}
}

// The examples use the inputs that the recipes have.
func TestDocsExamples(t *testing.T) {
	t.Parallel()
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(recipe(t, pages[0]), -1)
	if len(blocks) != 3 {
		t.Fatalf("%d examples in YAML, want GitHub's, GitLab's and Tekton's", len(blocks))
	}
	for _, block := range blocks {
		var any any
		if err := yaml.Unmarshal([]byte(block[1]), &any); err != nil {
			t.Errorf("%v\n%s", err, block[1])
		}
	}
	type step struct {
		Uses string
		With map[string]string
	}
	var steps []step
	if err := yaml.Unmarshal([]byte(blocks[0][1]), &steps); err != nil {
		t.Fatal(err)
	}
	action := readAction(t)
	use := slices.IndexFunc(steps, func(s step) bool { return strings.HasPrefix(s.Uses, "crane-bake/") })
	if use < 0 {
		t.Fatalf("the action is not used: %+v", steps)
	}
	for in := range steps[use].With {
		if _, ok := action.Inputs[in]; !ok {
			t.Errorf("the action has no input %s", in)
		}
	}
	var gitlab struct {
		Include []struct{ Inputs map[string]string }
	}
	if err := yaml.Unmarshal([]byte(blocks[1][1]), &gitlab); err != nil {
		t.Fatal(err)
	}
	readComponent(t, "gitlab/bake.yml", gitlab.Include[0].Inputs)
	if !strings.Contains(blocks[2][1], "name: ARGS") || !strings.Contains(recipe(t, "tekton/task.yaml"), "name: ARGS") {
		t.Error("the Task has no parameter ARGS")
	}
}

// The page has every command that the head of the Job has: without the Secret
// the pod never starts.
func TestDocsKubernetes(t *testing.T) {
	t.Parallel()
	page := recipe(t, pages[0])
	commands := regexp.MustCompile(`(?m)^#   (kubectl .*)$`).FindAllStringSubmatch(recipe(t, "kubernetes/job.yaml"), -1)
	if len(commands) < 5 {
		t.Fatalf("%d commands: %q", len(commands), commands)
	}
	for _, m := range commands {
		want := strings.Replace(m[1], "-f job.yaml", "-f examples/ci/kubernetes/job.yaml", 1)
		if !strings.Contains(page, "\n"+want+"\n") {
			t.Errorf("docs/ci.md has no %q", want)
		}
	}
}
