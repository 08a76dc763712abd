// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

type argoTemplate struct {
	Name   string
	Inputs struct {
		Artifacts []struct{ Path string }
	}
	RetryStrategy struct {
		Limit   string
		Backoff map[string]string
	} `yaml:"retryStrategy"`
	Container container
	Outputs   struct {
		Parameters []struct {
			Name      string
			ValueFrom struct{ Path string } `yaml:"valueFrom"`
		}
		Artifacts []struct{ Name, Path string }
	}
	Steps [][]struct {
		Template     string
		WithSequence struct{ Count string } `yaml:"withSequence"`
	}
}

// readArgo is the templates by name, and the arguments as values to fill in.
func readArgo(t *testing.T, given map[string]string) (map[string]argoTemplate, []string) {
	t.Helper()
	var workflow struct {
		Spec struct {
			Arguments struct {
				Parameters []struct{ Name, Value string }
			}
			Templates []argoTemplate
		}
	}
	if err := yaml.Unmarshal([]byte(recipe(t, "argo/workflowtemplate.yaml")), &workflow); err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, p := range workflow.Spec.Arguments.Parameters {
		value, ok := given[p.Name]
		if !ok {
			value = p.Value
		}
		values = append(values, "{{workflow.parameters."+p.Name+"}}", value)
	}
	templates := map[string]argoTemplate{}
	for _, template := range workflow.Spec.Templates {
		for _, a := range template.Inputs.Artifacts {
			template.Container.Mounts = append(template.Container.Mounts, mount{a.Path})
		}
		templates[template.Name] = template
	}
	return templates, values
}

func TestArgoBake(t *testing.T) {
	t.Parallel()
	w := newPodWorld(t, "source")
	w.write(t, "out/.keep", "")
	w.openUp(t)
	templates, values := readArgo(t, nil)
	bake := templates["bake"]
	if o := w.runContainer(t, bake.Container, values...); o.code != 0 {
		t.Fatalf("exit code %d\n%s", o.code, o.stderr)
	}
	revision := source{URI: "git+https://git.example.com/models.git", Annotations: map[string]any{"revision": "main"}}
	if diff := cmp.Diff([]source{revision}, w.sources(t, "team/scorer:dev")); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	digest := mustDigest(t, w.registry, "team/scorer:dev")
	got := map[string]string{}
	for _, p := range bake.Outputs.Parameters {
		got[p.Name] = w.read(t, p.ValueFrom.Path)
	}
	want := map[string]string{"digest": digest, "images": w.registry.Host + "/team/scorer@" + digest + "\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestArgoFleet(t *testing.T) {
	t.Parallel()
	w := newPodWorld(t, "source")
	const shards = 3
	templates, values := readArgo(t, map[string]string{"file": "fleet.yaml", "shards": fmt.Sprint(shards)})
	step := templates["fleet"].Steps[0][0]
	if step.WithSequence.Count != "{{workflow.parameters.shards}}" {
		t.Fatalf("count is %q", step.WithSequence.Count)
	}
	shard := templates[step.Template]
	if len(shard.Outputs.Parameters)+len(shard.Outputs.Artifacts) > 0 {
		t.Errorf("outputs %+v: want none, since a file takes an artifact repository", shard.Outputs)
	}
	var got []string
	for i := range shards {
		o := w.runContainer(t, shard.Container, append(values, "{{inputs.parameters.shard}}", fmt.Sprint(i))...)
		if o.code != 0 {
			t.Fatalf("shard %d: exit code %d\n%s", i, o.code, o.stderr)
		}
		got = append(got, imagesOf(t, o.stdout)...)
	}
	slices.Sort(got)
	if diff := cmp.Diff(w.fleetImages(t), got); diff != "" {
		t.Errorf("images (-want +got):\n%s", diff)
	}
}

// Only the limit bounds how often a template is tried again: a maxDuration would
// become the deadline of an attempt that is at work.
func TestArgoRetries(t *testing.T) {
	t.Parallel()
	templates, _ := readArgo(t, nil)
	for _, name := range []string{"bake", "shard"} {
		retry := templates[name].RetryStrategy
		if diff := cmp.Diff(map[string]string{"duration": "10s", "factor": "2"}, retry.Backoff); diff != "" || retry.Limit != "3" {
			t.Errorf("%s: limit %q, backoff (-want +got):\n%s", name, retry.Limit, diff)
		}
	}
}
