// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"maps"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// The workflow gives the action inputs that it has, and reads outputs of it.
func TestGitHubWorkflow(t *testing.T) {
	t.Parallel()
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Uses, ID, Run string
				With, Env     map[string]string
			}
		}
	}
	text := recipe(t, "github/workflow.yml")
	if err := yaml.Unmarshal([]byte(text), &workflow); err != nil {
		t.Fatal(err)
	}
	action, used := readAction(t), map[string]bool{}
	for name, j := range workflow.Jobs {
		for _, step := range j.Steps {
			if strings.HasPrefix(step.Uses, "crane-bake/") {
				for in := range maps.Keys(step.With) {
					if _, ok := action.Inputs[in]; !ok {
						t.Errorf("job %s: the action has no input %s", name, in)
					}
				}
			}
			used[strings.Split(step.Uses, "@")[0]] = true
			if strings.Contains(step.Run, "${{") {
				t.Errorf("job %s: an expression in a script: %s", name, step.Run)
			}
		}
	}
	for _, want := range []string{"crane-bake/crane-bake/examples/ci/github", "github/codeql-action/upload-sarif", "sigstore/cosign-installer"} {
		if !used[want] {
			t.Errorf("%s is not used", want)
		}
	}
	outputs := regexp.MustCompile(`steps\.bake\.outputs\.(\w+)`).FindAllStringSubmatch(text, -1)
	for _, m := range outputs {
		if _, ok := action.Outputs[m[1]]; !ok {
			t.Errorf("the action has no output %s", m[1])
		}
	}
	if len(outputs) == 0 {
		t.Error("no output of the action is used")
	}
}
