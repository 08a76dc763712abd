// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	context map[string]string // of a workflow
	inputs  map[string]string
	outputs map[string]map[string]string // by step
	log     string
}

func newJob(t *testing.T, inputs map[string]string) *job {
	t.Helper()
	j := &job{newWorld(t), readAction(t), nil, map[string]string{}, map[string]map[string]string{}, ""}
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
		name := expression.FindStringSubmatch(e)[1]
		path := strings.Split(name, ".")
		switch {
		case j.context[name] != "":
			return j.context[name]
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
		// As documented for "shell: bash".
		if code := j.step(t, step.ID, step.Run, step.Env, "--noprofile", "--norc", "-eo", "pipefail"); code != 0 {
			return code
		}
	}
	return 0
}

// step runs one script with bash and returns its exit code.
func (j *job) step(t *testing.T, id, run string, env map[string]string, flags ...string) int {
	t.Helper()
	out := j.write(t, "runner/output", "")
	script := j.write(t, "runner/script.sh", run)
	j.openUp(t)
	for key, value := range map[string]string{
		"RUNNER_TEMP": filepath.Join(j.dir, "runner"), "GITHUB_OUTPUT": out,
		"GITHUB_PATH": filepath.Join(j.dir, "runner/path"), "DOCKER_CONFIG": filepath.Join(j.dir, "runner/docker"),
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "Team/Models",
		"GITHUB_SHA": "0123456789abcdef0123456789abcdef01234567", "GITHUB_REF": "refs/heads/main",
	} {
		j.env[key] = value
	}
	given := maps.Clone(j.env)
	for key, value := range env {
		j.env[key] = j.eval(t, value)
	}
	o := j.world.run(t, "src", "bash", append(flags, script)...)
	j.env = given // a step's variables are its own
	j.log += o.stdout + o.stderr
	if id != "" {
		j.outputs[id] = readOutputs(t, j.read(t, "runner/output"))
	}
	return o.code
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
