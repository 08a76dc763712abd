// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A tektonTask is what these tests read of the Task.
type tektonTask struct {
	Spec struct {
		Params []struct {
			Name    string
			Default any
		}
		Results []struct{ Name string }
		Steps   []struct {
			WorkingDir string `yaml:"workingDir"`
			Env        []struct{ Name, Value string }
			Args       []string
			Script     string
		}
	}
}

// runTekton runs the Task's step as a pod does, with these arguments and
// workspaces, and returns the results.
func (w *world) runTekton(t *testing.T, dockerconfig string, params map[string]string, args ...string) (outcome, map[string]string) {
	t.Helper()
	var task tektonTask
	if err := yaml.Unmarshal([]byte(recipe(t, "tekton/task.yaml")), &task); err != nil {
		t.Fatal(err)
	}
	values := []string{"$(workspaces.source.path)", filepath.Join(w.dir, "src"), "$(workspaces.dockerconfig.path)", dockerconfig}
	for _, p := range task.Spec.Params {
		value, ok := params[p.Name]
		if text, isText := p.Default.(string); !ok && isText {
			value = text
		}
		values = append(values, "$(params."+p.Name+")", value)
	}
	for _, r := range task.Spec.Results {
		values = append(values, "$(results."+r.Name+".path)", filepath.Join(w.dir, "results", r.Name))
	}
	fill := strings.NewReplacer(values...).Replace
	if err := os.RemoveAll(filepath.Join(w.dir, "results")); err != nil {
		t.Fatal(err)
	}
	w.write(t, "results/.keep", "")
	step := task.Spec.Steps[0]
	if strings.Contains(step.Script, "$(params.") || !slices.Equal(step.Args, []string{"$(params.ARGS[*])"}) {
		t.Errorf("parameters must be variables or arguments: others could write a script in them\n%s", step.Script)
	}
	script := w.write(t, "tekton/script", fill(step.Script))
	w.openUp(t)
	if err := os.Chmod(script, 0o755); err != nil {
		t.Fatal(err)
	}
	w.env = map[string]string{}
	for _, e := range step.Env {
		w.env[e.Name] = fill(e.Value)
	}
	dir, err := filepath.Rel(w.dir, fill(step.WorkingDir))
	if err != nil {
		t.Fatal(err)
	}
	o := w.run(t, dir, script, args...)
	results := map[string]string{}
	for _, r := range task.Spec.Results {
		if content, err := os.ReadFile(filepath.Join(w.dir, "results", r.Name)); err == nil {
			results[r.Name] = string(content)
		}
	}
	return o, results
}

func TestTektonTask(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(t, "config/config.json", w.registry)
	w.login(t, "secret/.dockerconfigjson", w.registry)
	base := w.registry.Host + "/fastscore/engine:1.10@" + mustDigest(t, w.registry, "fastscore/engine:1.10")
	for name, auth := range map[string]string{"config.json": "config", "secret": "secret"} {
		t.Run(name, func(t *testing.T) {
			repo := "team/" + auth
			tags := []string{"--tag=" + w.registry.Host + "/" + repo + ":v1", "--tag=" + w.registry.Host + "/copy/" + auth + ":v1", "--label", "a=b c"}
			o, got := w.runTekton(t, filepath.Join(w.dir, auth), nil, tags...)
			if o.code != 0 {
				t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
			}
			digest := mustDigest(t, w.registry, repo+":v1")
			want := map[string]string{
				"IMAGE_URL": w.registry.Host + "/" + repo, "IMAGE_DIGEST": digest, "BASE_IMAGES_DIGESTS": base,
				"IMAGES": w.registry.Host + "/" + repo + "@" + digest + "\n" + w.registry.Host + "/copy/" + auth + "@" + digest,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("results (-want +got):\n%s", diff)
			}
		})
	}
}

func TestTektonFleet(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(t, "config/config.json", w.registry)
	second := w.registry.Push(t, "fastscore/engine:1.11", registrytest.BaseIndex(t, "linux/amd64"))
	file := strings.Replace(w.read(t, "src/fleet.yaml"), `m1: {`, `m1: {base: "`+w.registry.Host+`/fastscore/engine:1.11", `, 1)
	w.write(t, "src/two.yaml", file)
	o, got := w.runTekton(t, filepath.Join(w.dir, "config"), map[string]string{"FILE": "two.yaml"})
	if o.code != 0 {
		t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	images := strings.Split(got["IMAGES"], "\n")
	if first := got["IMAGE_URL"] + "@" + got["IMAGE_DIGEST"]; first != images[0] || !strings.Contains(first, "/fleet/m0@") {
		t.Errorf("the first image is %s, of %s", first, images)
	}
	slices.Sort(images)
	if diff := cmp.Diff(w.fleetImages(t), images); diff != "" {
		t.Errorf("IMAGES (-want +got):\n%s", diff)
	}
	engine := w.registry.Host + "/fastscore/engine"
	want := engine + ":1.10@" + mustDigest(t, w.registry, "fastscore/engine:1.10") + "\n" + engine + ":1.11@" + second.DigestStr()
	if diff := cmp.Diff(want, got["BASE_IMAGES_DIGESTS"]); diff != "" {
		t.Errorf("BASE_IMAGES_DIGESTS (-want +got):\n%s", diff)
	}
}

// The workspace dockerconfig may be absent; a bake that fails has no results and
// keeps its exit code.
func TestTektonWithoutCredentials(t *testing.T) {
	t.Parallel()
	w := newWorldOn(t, startStrict(t))
	o, got := w.runTekton(t, "", nil)
	if o.code != 4 || len(got) != 0 {
		t.Errorf("exit code %d, want 4; results %q\n%s", o.code, got, o.stderr)
	}
}

// A dry run succeeds without an image.
func TestTektonDryRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(t, "config/config.json", w.registry)
	o, got := w.runTekton(t, filepath.Join(w.dir, "config"), nil, "--dry-run")
	if o.code != 0 {
		t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if diff := cmp.Diff(map[string]string{"IMAGES": ""}, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

// The parameter SOURCE is in the provenance of what was baked.
func TestTektonSource(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(t, "config/config.json", w.registry)
	const commit = "0123456789abcdef0123456789abcdef01234567"
	o, _ := w.runTekton(t, filepath.Join(w.dir, "config"), map[string]string{"SOURCE": "https://git.example.com/models.git@" + commit})
	if o.code != 0 {
		t.Fatalf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	want := []source{{URI: "git+https://git.example.com/models.git", Digest: map[string]string{"gitCommit": commit}}}
	if diff := cmp.Diff(want, w.sources(t, "team/scorer:dev")); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}
