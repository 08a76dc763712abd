// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

// A gitlabSpec is the head of a component.
type gitlabSpec struct {
	Spec struct {
		Inputs map[string]struct {
			Description string
			Type        string
			Default     any
		}
	}
}

// A gitlabJob is what the recipes use of a job.
type gitlabJob struct {
	Stage string
	Image struct {
		Name       string
		Entrypoint []string
	}
	Parallel int
	Retry    struct {
		Max       int
		ExitCodes []int `yaml:"exit_codes"`
	}
	Variables map[string]string
	Script    []string
	Artifacts struct {
		When    string
		Paths   []string
		Reports map[string]string
	}
}

// readComponent is the one job of a component with these inputs.
func readComponent(t *testing.T, file string, inputs map[string]string) gitlabJob {
	t.Helper()
	head, body, ok := strings.Cut(recipe(t, file), "\n---\n")
	if !ok {
		t.Fatalf("%s has one document, want a head and the jobs", file)
	}
	var spec gitlabSpec
	decodeStrict(t, file, head, &spec)
	for name := range inputs {
		if _, ok := spec.Spec.Inputs[name]; !ok {
			t.Fatalf("%s has no input %q", file, name)
		}
	}
	for name, in := range spec.Spec.Inputs {
		value, given := inputs[name]
		if !given {
			value = fmt.Sprint(in.Default)
		}
		placeholder := "$[[ inputs." + name + " ]]"
		if !strings.Contains(body, placeholder) {
			t.Errorf("%s: input %s is not used", file, name)
		}
		body = strings.ReplaceAll(body, placeholder, value)
	}
	if strings.Contains(body, "$[[") {
		t.Errorf("%s uses an input that it has not:\n%s", file, body)
	}
	jobs := map[string]gitlabJob{}
	decodeStrict(t, file, body, &jobs)
	if len(jobs) != 1 {
		t.Fatalf("%s has %d jobs", file, len(jobs))
	}
	for _, job := range jobs {
		if job.Image.Name == "" || !slices.Equal(job.Image.Entrypoint, []string{""}) {
			t.Errorf("%s: image %+v: a runner needs a shell as entry point", file, job.Image)
		}
		return job
	}
	return gitlabJob{}
}

func decodeStrict(t *testing.T, file, text string, v any) {
	t.Helper()
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(v); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if err := dec.Decode(new(any)); err != io.EOF {
		t.Fatalf("%s: more than one document", file)
	}
}

// gitlabShells are how runners start a script, by the shell that an image has.
var gitlabShells = map[string]string{"bash": "set -eo pipefail", "sh": "set -e"}

// runGitLab runs a job's script with the variables of a runner and more.
func (w *world) runGitLab(t *testing.T, shell string, job gitlabJob, more map[string]string) outcome {
	t.Helper()
	w.env = map[string]string{
		"CI": "true", "CI_PROJECT_DIR": filepath.Join(w.dir, "src"), "CI_REGISTRY": w.registry.Host,
		"CI_REGISTRY_USER": user, "CI_REGISTRY_PASSWORD": password,
		"CI_REGISTRY_IMAGE": w.registry.Host + "/group/project", "CI_COMMIT_SHORT_SHA": "0123abcd",
	}
	for key, value := range more {
		w.env[key] = value
	}
	for key, value := range job.Variables {
		w.env[key] = os.Expand(value, func(name string) string { return w.env[name] })
	}
	return w.run(t, "src", shell, "-c", gitlabShells[shell]+"\n"+strings.Join(job.Script, "\n"))
}

func TestGitLabBake(t *testing.T) {
	t.Parallel()
	for shell := range gitlabShells {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			job := readComponent(t, "gitlab/bake.yml", map[string]string{
				"tag": "$CI_REGISTRY_IMAGE/scorer:$CI_COMMIT_SHORT_SHA", "args": "--strict --label=a=b",
			})
			if o := w.runGitLab(t, shell, job, nil); o.code != 0 {
				t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
			}
			digest := mustDigest(t, w.registry, "group/project/scorer:0123abcd")
			image := w.registry.Host + "/group/project/scorer@" + digest
			for file, want := range map[string]string{
				job.Artifacts.Reports["dotenv"]:      "CRANE_BAKE_IMAGE=" + image + "\nCRANE_BAKE_DIGEST=" + digest + "\n",
				job.Artifacts.Reports["codequality"]: "[]\n",
				"images.txt":                         image + "\n",
			} {
				if diff := cmp.Diff(want, w.read(t, "src/"+file)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", file, diff)
				}
			}
			if !slices.Equal(job.Artifacts.Paths, []string{"images.txt", "metadata.json"}) || job.Artifacts.When != "always" {
				t.Errorf("artifacts: %+v", job.Artifacts)
			}
			if !strings.Contains(w.read(t, "src/metadata.json"), `"containerimage.digest":"`+digest+`"`) {
				t.Errorf("metadata: %s", w.read(t, "src/metadata.json"))
			}
		})
	}
}

// A dry run has no image to name, and the job is content.
func TestGitLabDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := readComponent(t, "gitlab/bake.yml", map[string]string{"args": "--dry-run"})
	for shell := range gitlabShells {
		if o := w.runGitLab(t, shell, job, nil); o.code != 0 || w.read(t, "src/images.txt") != "" {
			t.Errorf("%s: exit code %d, images %q\n%s", shell, o.code, w.read(t, "src/images.txt"), o.stderr)
		}
		if _, err := os.Stat(filepath.Join(w.dir, "src", job.Artifacts.Reports["dotenv"])); err == nil {
			t.Errorf("%s: variables: %s", shell, w.read(t, "src/"+job.Artifacts.Reports["dotenv"]))
		}
	}
}

// Without a tag, the bake file says where to.
func TestGitLabBakeFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if o := w.runGitLab(t, "sh", readComponent(t, "gitlab/bake.yml", nil), nil); o.code != 0 {
		t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if want := w.registry.Host + "/team/scorer@" + mustDigest(t, w.registry, "team/scorer:dev") + "\n"; w.read(t, "src/images.txt") != want {
		t.Errorf("%q, want %q", w.read(t, "src/images.txt"), want)
	}
}

// The report has the files' names from the root of the repository, and is there
// although the job fails.
func TestGitLabFindings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write(t, "src/kafka.json", `{"Version": "1.2", "Transport": {"Type": "Kafkka"}, "Encoding": "json"}`)
	w.openUp(t)
	job := readComponent(t, "gitlab/bake.yml", nil)
	root := map[string]string{"CI_PROJECT_DIR": w.dir} // src is a directory of the repository
	if o := w.runGitLab(t, "bash", job, root); o.code != 3 {
		t.Fatalf("exit code %d, want 3\n%s%s", o.code, o.stdout, o.stderr)
	}
	var report []struct {
		CheckName string `json:"check_name"`
		Location  struct{ Path string }
	}
	if err := json.Unmarshal([]byte(w.read(t, "src/"+job.Artifacts.Reports["codequality"])), &report); err != nil {
		t.Fatal(err)
	}
	if len(report) == 0 || report[0].CheckName != "SD-06" || report[0].Location.Path != "src/kafka.json" {
		t.Errorf("report: %+v", report)
	}
}

// A bake that cannot be checked ends the job with the check's exit code.
func TestGitLabMissingFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for shell := range gitlabShells {
		if o := w.runGitLab(t, shell, readComponent(t, "gitlab/bake.yml", map[string]string{"file": "none.yaml"}), nil); o.code != 5 {
			t.Errorf("%s: exit code %d, want 5\n%s", shell, o.code, o.stderr)
		}
	}
}

// The jobs bake every image once, whatever their number is.
func TestGitLabFleet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := readComponent(t, "gitlab/fleet.yml", map[string]string{"shards": "3", "args": "--strict"})
	if job.Parallel != 3 || !slices.Equal(job.Retry.ExitCodes, []int{1, 8}) || job.Retry.Max == 0 {
		t.Errorf("%d jobs, retried %+v", job.Parallel, job.Retry)
	}
	var got []string
	for i := 1; i <= job.Parallel; i++ {
		o := w.runGitLab(t, "sh", job, map[string]string{"CI_NODE_INDEX": fmt.Sprint(i), "CI_NODE_TOTAL": fmt.Sprint(job.Parallel)})
		if o.code != 0 {
			t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
		}
		got = append(got, strings.Fields(w.read(t, fmt.Sprintf("src/images-%d.txt", i-1)))...)
	}
	slices.Sort(got)
	if diff := cmp.Diff(w.fleetImages(t), got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}
