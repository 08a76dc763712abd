// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

type kubernetesJob struct {
	Spec struct {
		Completions      int
		PodFailurePolicy struct {
			Rules []struct {
				Action      string
				OnExitCodes struct{ Values []int } `yaml:"onExitCodes"`
			}
		} `yaml:"podFailurePolicy"`
		Template struct {
			Spec struct{ Containers []container }
		}
	}
}

func readJob(t *testing.T, file string) (kubernetesJob, container) {
	t.Helper()
	var job kubernetesJob
	if err := yaml.Unmarshal([]byte(recipe(t, file)), &job); err != nil {
		t.Fatal(err)
	}
	return job, job.Spec.Template.Spec.Containers[0]
}

// asConfigMap makes a directory what Kubernetes makes of a ConfigMap: links to
// links to files, so that all change at once.
func asConfigMap(t *testing.T, dir string) {
	t.Helper()
	const version = "..2026_01_01_00_00_00.000000001"
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, version), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(version, filepath.Join(dir, "..data")); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if err := os.Rename(filepath.Join(dir, f.Name()), filepath.Join(dir, version, f.Name())); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("..data/"+f.Name(), filepath.Join(dir, f.Name())); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKubernetesJob(t *testing.T) {
	t.Parallel()
	w := newPodWorld(t, "bake")
	asConfigMap(t, filepath.Join(w.dir, "bake"))
	_, c := readJob(t, "kubernetes/job.yaml")
	o := w.runContainer(t, c)
	if o.code != 0 || o.stderr != "" {
		t.Fatalf("exit code %d\n%s", o.code, o.stderr)
	}
	want := []string{w.registry.Host + "/team/scorer@" + mustDigest(t, w.registry, "team/scorer:v1")}
	if diff := cmp.Diff(want, imagesOf(t, o.stdout)); diff != "" {
		t.Errorf("images in the log (-want +got):\n%s", diff)
	}
}

// imagesOf is the images of a log of JSON lines.
func imagesOf(t *testing.T, log string) []string {
	t.Helper()
	var images []string
	for line := range strings.Lines(log) {
		var report struct{ Image string }
		if err := json.Unmarshal([]byte(line), &report); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		images = append(images, report.Image)
	}
	return images
}

func TestKubernetesIndexedJob(t *testing.T) {
	t.Parallel()
	w := newPodWorld(t, "fleet")
	job, c := readJob(t, "kubernetes/indexed-job.yaml")
	if job.Spec.Completions < 2 || job.Spec.Completions > fleetSize {
		t.Fatalf("%d shards", job.Spec.Completions)
	}
	var got []string
	for i := range job.Spec.Completions {
		o := w.runContainer(t, c, "$(JOB_COMPLETION_INDEX)", fmt.Sprint(i))
		if o.code != 0 || o.stderr != "" {
			t.Fatalf("shard %d: exit code %d\n%s", i, o.code, o.stderr)
		}
		got = append(got, imagesOf(t, o.stdout)...)
	}
	slices.Sort(got)
	if diff := cmp.Diff(w.fleetImages(t), got); diff != "" {
		t.Errorf("images in the logs (-want +got):\n%s", diff)
	}
}

// The Jobs give up where trying again does not help, and only there.
func TestKubernetesFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		file  string
		spoil func(t *testing.T, w *world, c *container)
		code  int
		retry bool
	}{
		"no such engine": {"job", func(_ *testing.T, w *world, c *container) {
			c.Args = append(c.Args, "--base="+w.registry.Host+"/fastscore/engine:0")
		}, 5, false},
		"finding": {"job", func(t *testing.T, w *world, _ *container) {
			w.write(t, "bake/kafka.json", `{"Transport": "RETS"}`)
		}, 3, false},
		"no credentials": {"job", func(t *testing.T, w *world, _ *container) {
			w.write(t, "auth/config.json", `{}`)
		}, 4, false},
		"registry down": {"job", func(t *testing.T, w *world, c *container) {
			down := registrytest.Start(t, registrytest.Options{Faults: func(int, *http.Request) registrytest.Fault {
				return registrytest.Fault{Status: http.StatusServiceUnavailable}
			}})
			c.Args = append(c.Args, "--base="+down.Host+"/fastscore/engine:1.10", "--retries=0")
		}, 8, true},
		"a bake of a fleet": {"indexed-job", func(t *testing.T, w *world, _ *container) {
			w.write(t, "fleet/fleet.yaml", strings.ReplaceAll(w.fleet(), "NUMBER: \"3\"}", "NUMBER: \"3\"}, base: "+w.registry.Host+"/none:1"))
		}, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			volume := map[string]string{"job": "bake", "indexed-job": "fleet"}[c.file]
			w := newPodWorldOn(t, startStrict(t), volume)
			job, pod := readJob(t, "kubernetes/"+c.file+".yaml")
			c.spoil(t, w, &pod)
			o := w.runContainer(t, pod, "$(JOB_COMPLETION_INDEX)/16", "0/1")
			if o.code != c.code || o.stderr == "" {
				t.Errorf("exit code %d, want %d\n%s", o.code, c.code, o.stderr)
			}
			final := false
			for _, rule := range job.Spec.PodFailurePolicy.Rules {
				final = final || strings.HasPrefix(rule.Action, "Fail") && slices.Contains(rule.OnExitCodes.Values, o.code)
			}
			if final == c.retry {
				t.Errorf("exit code %d: given up %v, want %v", o.code, final, !c.retry)
			}
		})
	}
}
