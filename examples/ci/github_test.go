// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// A githubAction is a composite action.
type githubAction struct {
	Name        string
	Description string
	Inputs      map[string]struct{ Description, Default string }
	Outputs     map[string]struct{ Description, Value string }
	Runs        struct {
		Using string
		Steps []struct {
			Name, ID, If, Shell, Run string
			Env                      map[string]string
		}
	}
}

func readAction(t *testing.T) githubAction {
	t.Helper()
	var a githubAction
	dec := yaml.NewDecoder(strings.NewReader(recipe(t, "github/action.yml")))
	dec.KnownFields(true)
	if err := dec.Decode(&a); err != nil {
		t.Fatal(err)
	}
	return a
}

// A job runs an action's steps as a runner does.
type job struct {
	*world
	action  githubAction
	inputs  map[string]string
	outputs map[string]map[string]string // by step
	log     string
}

func newJob(t *testing.T, inputs map[string]string) *job {
	t.Helper()
	j := &job{newWorld(t), readAction(t), map[string]string{}, map[string]map[string]string{}, ""}
	for name, in := range j.action.Inputs {
		j.inputs[name] = in.Default
	}
	for name, value := range inputs {
		if _, ok := j.inputs[name]; !ok {
			t.Fatalf("the action has no input %q", name)
		}
		j.inputs[name] = strings.ReplaceAll(value, "REGISTRY", j.registry.Host)
	}
	j.write(t, "runner/path", "")
	j.openUp(t)
	return j
}

var expression = regexp.MustCompile(`\$\{\{ *(\S+) *\}\}`)

// eval is a text with its expressions' values.
func (j *job) eval(t *testing.T, text string) string {
	t.Helper()
	return expression.ReplaceAllStringFunc(text, func(e string) string {
		path := strings.Split(expression.FindStringSubmatch(e)[1], ".")
		switch {
		case len(path) == 2 && path[0] == "inputs":
			if value, ok := j.inputs[path[1]]; ok {
				return value
			}
		case len(path) == 4 && path[0] == "steps" && path[2] == "outputs":
			return j.outputs[path[1]][path[3]] // empty for a step that did not run
		}
		t.Errorf("no value for %s", e)
		return ""
	})
}

// run runs the steps and returns the exit code of the first that fails.
func (j *job) run(t *testing.T) int {
	t.Helper()
	for _, step := range j.action.Runs.Steps {
		switch step.If {
		case "":
		case "inputs.registry != ''":
			if j.inputs["registry"] == "" {
				continue
			}
		default:
			t.Fatalf("step %q: unknown condition %q", step.Name, step.If)
		}
		if step.Shell != "bash" || strings.Contains(step.Run, "${{") {
			t.Errorf("step %q: want bash, and inputs as variables: others could write a script in them\n%s", step.Name, step.Run)
		}
		out := j.write(t, "runner/output", "")
		script := j.write(t, "runner/script.sh", step.Run)
		j.openUp(t)
		j.env = map[string]string{
			"RUNNER_TEMP": filepath.Join(j.dir, "runner"), "GITHUB_OUTPUT": out,
			"GITHUB_PATH": filepath.Join(j.dir, "runner/path"), "DOCKER_CONFIG": filepath.Join(j.dir, "runner/docker"),
			"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "team/models",
			"GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567", "GITHUB_REF": "refs/heads/main",
		}
		for key, value := range step.Env {
			j.env[key] = j.eval(t, value)
		}
		// As documented for "shell: bash".
		o := j.world.run(t, "src", "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
		j.log += o.stdout + o.stderr
		if step.ID != "" {
			j.outputs[step.ID] = readOutputs(t, j.read(t, "runner/output"))
		}
		if o.code != 0 {
			return o.code
		}
	}
	return 0
}

// readOutputs reads lines NAME=VALUE, and values of several lines between
// NAME<<DELIMITER and DELIMITER.
func readOutputs(t *testing.T, text string) map[string]string {
	t.Helper()
	outputs := map[string]string{}
	for text != "" {
		line, rest, ok := strings.Cut(text, "\n")
		if !ok {
			t.Fatalf("no newline after %q", line)
		}
		text = rest
		if name, delimiter, multi := strings.Cut(line, "<<"); multi && !strings.Contains(name, "=") {
			value, after, ok := strings.Cut(text, "\n"+delimiter+"\n")
			if !ok || len(delimiter) < 32 {
				t.Fatalf("%s: delimiter %q is short, or nowhere below", name, delimiter)
			}
			outputs[name], text = value, after
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			t.Fatalf("no output: %q", line)
		}
		outputs[name] = value
	}
	return outputs
}

func TestGitHubAction(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{
		"tags": "REGISTRY/team/scorer:v1\nREGISTRY/team/scorer:latest\n\nREGISTRY/other/scorer:v1\n",
		"args": "--label\ntitle=a b $c\n--strict\n--sbom\n--provenance", "base": "REGISTRY/fastscore/engine:1.10",
		"registry": "REGISTRY", "username": user, "password": password,
	})
	if code := j.run(t); code != 0 {
		t.Fatalf("exit code %d\n%s", code, j.log)
	}
	got := map[string]string{}
	for name, out := range j.action.Outputs {
		got[name] = j.eval(t, out.Value)
	}
	digest := mustDigest(t, j.registry, "team/scorer:v1")
	image := j.registry.Host + "/team/scorer@" + digest
	want := map[string]string{
		"digest": digest, "image": image, "images": image + "\n" + j.registry.Host + "/other/scorer@" + digest,
		"sarif":    filepath.Join(j.dir, "runner/crane-bake.sarif"),
		"metadata": strings.TrimSuffix(j.read(t, "runner/crane-bake.json"), "\n"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
	var metadata struct {
		Digest string `json:"containerimage.digest"`
		Name   string `json:"image.name"`
	}
	if err := json.Unmarshal([]byte(got["metadata"]), &metadata); err != nil {
		t.Fatal(err)
	}
	host := j.registry.Host
	if metadata.Digest != digest || metadata.Name != host+"/team/scorer:v1,"+host+"/team/scorer:latest,"+host+"/other/scorer:v1" {
		t.Errorf("metadata: %+v", metadata)
	}
	if latest := digestOf(t, j.registry, "team/scorer:latest"); latest != digest {
		t.Errorf("latest is %s", latest)
	}
}

// What the check finds reaches the reviewer, although the job fails.
func TestGitHubFindings(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"registry": "REGISTRY", "username": user, "password": password})
	j.write(t, "src/kafka.json", `{"Version": "1.2", "Transport": {"Type": "Kafkka"}, "Encoding": "json"}`)
	if code := j.run(t); code != 3 {
		t.Fatalf("exit code %d, want 3\n%s", code, j.log)
	}
	if !strings.Contains(j.log, "::error file=kafka.json,line=1") {
		t.Errorf("no annotation:\n%s", j.log)
	}
	var sarif struct {
		Version string
		Runs    []struct{ Results []struct{ RuleID string } }
	}
	content, err := os.ReadFile(j.outputs["check"]["sarif"])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(content, &sarif); err != nil {
		t.Fatal(err)
	}
	if sarif.Version != "2.1.0" || len(sarif.Runs) != 1 || len(sarif.Runs[0].Results) == 0 || sarif.Runs[0].Results[0].RuleID != "SD-06" {
		t.Errorf("SARIF: %+v", sarif)
	}
	if digest := digestOf(t, j.registry, "team/scorer:dev"); digest != "" {
		t.Errorf("published %s", digest)
	}
}

// A bake that cannot be checked ends the job with the check's exit code.
func TestGitHubMissingFile(t *testing.T) {
	t.Parallel()
	j := newJob(t, map[string]string{"file": "none.yaml"})
	if code := j.run(t); code != 5 {
		t.Errorf("exit code %d, want 5\n%s", code, j.log)
	}
}

// Where a runner has no crane-bake, it is installed with Go.
func TestGitHubInstall(t *testing.T) {
	t.Parallel()
	j := newJob(t, nil)
	fake := j.write(t, "bin/go", "#!/bin/sh\necho \"$GOBIN $*\"\n")
	j.openUp(t)
	if err := os.Chmod(fake, 0o755); err != nil {
		t.Fatal(err)
	}
	j.env = map[string]string{
		"PATH": filepath.Dir(fake) + ":/usr/bin:/bin", "VERSION": "v1.2.3",
		"RUNNER_TEMP": filepath.Join(j.dir, "runner"), "GITHUB_PATH": filepath.Join(j.dir, "runner/path"),
	}
	script := j.write(t, "runner/install.sh", j.action.Runs.Steps[0].Run)
	o := j.mustRun(t, "src", "bash", "--noprofile", "--norc", "-eo", "pipefail", script)
	bin := filepath.Join(j.dir, "runner/crane-bake-bin")
	if want := bin + " install github.com/crane-bake/crane-bake/cmd/crane-bake@v1.2.3\n"; o.stdout != want {
		t.Errorf("ran %q, want %q", o.stdout, want)
	}
	if got := j.read(t, "runner/path"); got != bin+"\n" {
		t.Errorf("PATH gets %q", got)
	}
}
