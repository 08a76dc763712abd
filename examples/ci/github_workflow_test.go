// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type githubWorkflow struct {
	Jobs map[string]struct {
		Steps []struct {
			Uses, ID, Run string
			With, Env     map[string]string
		}
	}
}

func readWorkflow(t *testing.T) githubWorkflow {
	t.Helper()
	var w githubWorkflow
	if err := yaml.Unmarshal([]byte(recipe(t, "github/workflow.yml")), &w); err != nil {
		t.Fatal(err)
	}
	return w
}

// The workflow gives the action inputs that it has, and reads outputs of it.
func TestGitHubWorkflow(t *testing.T) {
	t.Parallel()
	text := recipe(t, "github/workflow.yml")
	action, used := readAction(t), map[string]bool{}
	for name, j := range readWorkflow(t).Jobs {
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

// runWorkflowJob runs the scripts and the action of a job, whose registry is
// ours, with a cosign that only writes down what it is asked.
func runWorkflowJob(t *testing.T, name string) *job {
	t.Helper()
	j := newJob(t, nil)
	j.login(t, "runner/docker/config.json", j.registry) // the engine is public elsewhere
	j.cosign(t, 0)
	j.context = map[string]string{"github.ref_name": "main", "github.actor": user, "secrets.GITHUB_TOKEN": password}
	for _, step := range readWorkflow(t).Jobs[name].Steps {
		switch {
		case strings.HasPrefix(step.Uses, "crane-bake/"):
			for in, value := range step.With {
				j.inputs[in] = strings.ReplaceAll(j.eval(t, value), "ghcr.io", j.registry.Host)
			}
			if code := j.run(t); code != 0 {
				t.Fatalf("job %s: exit code %d\n%s", name, code, j.log)
			}
			outputs := map[string]string{}
			for out, d := range j.action.Outputs {
				outputs[out] = j.eval(t, d.Value)
			}
			j.outputs[step.ID] = outputs
		case step.Run != "":
			if code := j.step(t, step.ID, step.Run, step.Env, "-e"); code != 0 {
				t.Fatalf("job %s: exit code %d of %s\n%s", name, code, step.Run, j.log)
			}
		}
	}
	return j
}

// A pull request is checked; nothing is published, and the job is content.
func TestGitHubPullRequest(t *testing.T) {
	t.Parallel()
	j := runWorkflowJob(t, "check")
	want := map[string]string{"sarif": filepath.Join(j.dir, "runner/crane-bake.sarif"), "digest": "", "image": "", "images": "", "metadata": ""}
	if diff := cmp.Diff(want, j.outputs["bake"]); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	if !strings.Contains(j.log, "dry run: nothing was written") || digestOf(t, j.registry, "team/scorer:dev") != "" {
		t.Errorf("no dry run:\n%s", j.log)
	}
}

// A push is published under the repository's name in lower case, and signed by
// digest.
func TestGitHubPush(t *testing.T) {
	t.Parallel()
	j := runWorkflowJob(t, "bake")
	image := j.registry.Host + "/team/models/scorer@" + mustDigest(t, j.registry, "team/models/scorer:main")
	if got := j.outputs["bake"]["image"]; got != image {
		t.Errorf("image %q, want %q", got, image)
	}
	if got, want := j.read(t, "cosigned"), "sign\n--yes\n--recursive\n"+image+"\n"; got != want {
		t.Errorf("cosign was run with %q, want %q", got, want)
	}
}
