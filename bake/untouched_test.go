// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// members is the members of a JSON object in their own bytes, without the
// white space between tokens.
func members(t testing.TB, raw []byte) map[string]string {
	t.Helper()
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for k, v := range object {
		var b bytes.Buffer
		if err := json.Compact(&b, v); err != nil {
			t.Fatal(err)
		}
		out[k] = b.String()
	}
	return out
}

// elements is members for an array.
func elements(t testing.TB, raw string) []string {
	t.Helper()
	var array []json.RawMessage
	if err := json.Unmarshal([]byte(raw), &array); err != nil {
		t.Fatal(err)
	}
	out := make([]string, len(array))
	for i, e := range array {
		out[i] = string(e)
	}
	return out
}

// without is m without some keys, which it must have.
func without(t testing.TB, m map[string]string, keys ...string) map[string]string {
	t.Helper()
	m = maps.Clone(m)
	for _, k := range keys {
		if _, ok := m[k]; !ok {
			t.Errorf("no member %q", k)
		}
		delete(m, k)
	}
	return m
}

// unusual is a base with fields in every place that this package has never
// heard of.
func unusual(t testing.TB, o registrytest.ImageOptions) v1.Image {
	return edit(t, registrytest.BaseImage(t, o), func(config, manifest map[string]any) {
		manifest["x-engine"] = []any{json.Number("9007199254740993"), "<&>"}
		manifest["config"].(map[string]any)["x-config"] = json.Number("1e400")
		for _, l := range manifest["layers"].([]any) {
			l.(map[string]any)["x-layer"] = map[string]any{"urls": "<none>"}
		}
		config["moby.buildkit.cache.v0"] = "\u2028"
		config["config"].(map[string]any)["X-Nested"] = map[string]any{"b": json.Number("0.10"), "a": nil}
	})
}

func TestBaseUntouched(t *testing.T) {
	t.Parallel()
	annotations := map[string]string{"com.example.engine": "<1.10>"}
	for _, tc := range []struct {
		name string
		base registrytest.ImageOptions
	}{
		{"oci", registrytest.ImageOptions{Annotations: annotations}},
		{"docker", registrytest.ImageOptions{Docker: true}},
		{"docker with annotations", registrytest.ImageOptions{Docker: true, Annotations: annotations}},
		{"ten layers", registrytest.ImageOptions{Layers: 10, Annotations: annotations}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			base := unusual(t, tc.base)
			srv := startWith(t, registrytest.Options{}, base)
			doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
			img := pullImage(t, srv.Host+"/team/scorer:1")

			checkManifest(t, base, img)
			checkConfig(t, base, img)
		})
	}
}

func checkManifest(t *testing.T, base, img v1.Image) {
	t.Helper()
	was, is := members(t, must[[]byte](t)(base.RawManifest())), members(t, must[[]byte](t)(img.RawManifest()))
	layersWere, layers := elements(t, was["layers"]), elements(t, is["layers"])
	if diff := cmp.Diff(layersWere, layers[:len(layersWere)]); diff != "" {
		t.Errorf("layers of the base:\n%s", diff)
	}
	if got := len(layers) - len(layersWere); got != 1 {
		t.Errorf("%d layers were added, want 1", got)
	}
	wasConfig, isConfig := members(t, []byte(was["config"])), members(t, []byte(is["config"]))
	if diff := cmp.Diff(without(t, wasConfig, "digest", "size"), without(t, isConfig, "digest", "size")); diff != "" {
		t.Errorf("descriptor of the config:\n%s", diff)
	}
	want := maps.Clone(manifestOf(t, base).Annotations)
	got := manifestOf(t, img).Annotations
	if manifestOf(t, base).MediaType.IsImage() && !strings.Contains(was["mediaType"], "docker") {
		if want == nil {
			want = map[string]string{}
		}
		want["org.opencontainers.image.base.digest"] = digestOf(t, base).String()
		want["org.opencontainers.image.base.name"] = got["org.opencontainers.image.base.name"]
		if name := want["org.opencontainers.image.base.name"]; !strings.HasSuffix(name, "/team/base:1") {
			t.Errorf("the base's name is %q", name)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("annotations:\n%s", diff)
	}
	delete(was, "annotations")
	delete(is, "annotations")
	if diff := cmp.Diff(without(t, was, "config", "layers"), without(t, is, "config", "layers")); diff != "" {
		t.Errorf("manifest:\n%s", diff)
	}
}

func checkConfig(t *testing.T, base, img v1.Image) {
	t.Helper()
	was, is := members(t, must[[]byte](t)(base.RawConfigFile())), members(t, must[[]byte](t)(img.RawConfigFile()))
	if diff := cmp.Diff(without(t, was, "config", "history", "rootfs"), without(t, is, "config", "history", "rootfs")); diff != "" {
		t.Errorf("config file:\n%s", diff)
	}
	wasInner, isInner := members(t, []byte(was["config"])), members(t, []byte(is["config"]))
	if diff := cmp.Diff(without(t, wasInner, "Env", "Labels"), without(t, isInner, "Env", "Labels")); diff != "" {
		t.Errorf("config:\n%s", diff)
	}
	for _, key := range []string{"history", "diff_ids"} {
		before, after := was["history"], is["history"]
		if key == "diff_ids" {
			before, after = members(t, []byte(was["rootfs"]))[key], members(t, []byte(is["rootfs"]))[key]
		}
		old := elements(t, before)
		if diff := cmp.Diff(old, elements(t, after)[:len(old)]); diff != "" {
			t.Errorf("%s of the base:\n%s", key, diff)
		}
	}
	labels := maps.Clone(configOf(t, img).Config.Labels)
	delete(labels, bake.RecordLabel)
	if diff := cmp.Diff(configOf(t, base).Config.Labels, labels); diff != "" {
		t.Errorf("labels:\n%s", diff)
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	const assets = "/assets/"
	own := []string{
		"MODEL=" + assets + "model.py3",
		"SCHEMAS=input:" + assets + "input.avsc;output:" + assets + "output.avsc",
		"STREAMS=0:" + assets + "rest.json;1:" + assets + "kafka.json",
	}
	path := []string{"PATH=/usr/local/bin:/usr/bin:/bin", "ENGINE_HOME=/fastscore"}
	for _, tc := range []struct {
		name   string
		base   []string // after path
		change func(*bake.Spec)
		want   []string
	}{
		{
			name: "appended",
			want: slices.Concat(path, own, []string{"CONNECT_PREFIX=https://connect:8001"}),
		},
		{
			name: "in place",
			base: []string{"STREAMS=0:/old", "KEEP=1", "MODEL=/old", "SCHEMAS="},
			want: slices.Concat(path, []string{own[2], "KEEP=1", own[0], own[1], "CONNECT_PREFIX=https://connect:8001"}),
		},
		{
			name: "doubled in the base",
			base: []string{"MODEL=/a", "KEEP=1", "MODEL=/b", "KEEP=2"},
			want: slices.Concat(path, []string{own[0], "KEEP=1", "KEEP=2"}, own[1:], []string{"CONNECT_PREFIX=https://connect:8001"}),
		},
		{
			name: "the base's CONNECT_PREFIX",
			base: []string{"CONNECT_PREFIX=https://other:1"},
			want: slices.Concat(path, []string{"CONNECT_PREFIX=https://other:1"}, own),
		},
		{
			name:   "the bake's CONNECT_PREFIX",
			base:   []string{"CONNECT_PREFIX=https://other:1"},
			change: func(s *bake.Spec) { s.ConnectPrefix = "https://mine:2" },
			want:   slices.Concat(path, []string{"CONNECT_PREFIX=https://mine:2"}, own),
		},
		{
			name: "further variables",
			base: []string{"LEVEL=info", "MODELS=x", "LEVEL"},
			change: func(s *bake.Spec) {
				s.Env = map[string]string{"ZZ": "a=b c", "LEVEL": "", "AA": "<&>", "PATH": "/bin"}
			},
			want: slices.Concat([]string{"PATH=/bin", path[1], "LEVEL=", "MODELS=x"}, own,
				[]string{"CONNECT_PREFIX=https://connect:8001", "AA=<&>", "ZZ=a=b c"}),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Env: tc.base}))
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			if tc.change != nil {
				tc.change(&spec)
			}
			doBake(t, spec)
			got := configOf(t, pullImage(t, srv.Host+"/team/scorer:1")).Config.Env
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("Env (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Labels: map[string]string{"team": "engine"}})
	srv := startWith(t, registrytest.Options{}, base)
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.Labels = map[string]string{"team": "risk", "note": "<&>"}
	doBake(t, spec)
	img := pullImage(t, srv.Host+"/team/scorer:1")
	want := maps.Clone(configOf(t, base).Config.Labels)
	want["team"], want["note"] = "risk", "<&>"
	got := maps.Clone(configOf(t, img).Config.Labels)
	delete(got, bake.RecordLabel)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(bake.RecordedChange{Set: []string{"note", "team"}, Replaced: map[string]string{"team": "engine"}}, recordOf(t, img).Labels); diff != "" {
		t.Errorf("record of the labels (-want +got):\n%s", diff)
	}
}

func TestHistory(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{})
	srv := startWith(t, registrytest.Options{}, base)
	const created = "2020-02-20T20:02:20.123456789Z" // the base's
	for _, tc := range []struct {
		name    string
		created time.Time
		assets  int
		layers  bake.LayerMode
		want    []string // created, created by
	}{
		{"one layer", time.Time{}, 0, "", []string{
			created, "crane-bake: files: /assets/model.py3 /assets/input.avsc /assets/output.avsc /assets/rest.json /assets/kafka.json",
			created, "crane-bake: environment: MODEL SCHEMAS STREAMS CONNECT_PREFIX",
		}},
		{"a layer a class", time.Unix(1700000000, 0), 0, bake.LayersClass, []string{
			"2023-11-14T22:13:20Z", "crane-bake: model: /assets/model.py3",
			"2023-11-14T22:13:20Z", "crane-bake: schemas: /assets/input.avsc /assets/output.avsc",
			"2023-11-14T22:13:20Z", "crane-bake: streams: /assets/rest.json /assets/kafka.json",
			"2023-11-14T22:13:20Z", "crane-bake: environment: MODEL SCHEMAS STREAMS CONNECT_PREFIX",
		}},
		{"many assets", time.Time{}, 5, "", []string{
			created, "crane-bake: files: /assets/0.csv /assets/1.csv /assets/2.csv /assets/3.csv /assets/4.csv /assets/model.py3 /assets/input.avsc /assets/output.avsc and 2 more",
			created, "crane-bake: environment: MODEL SCHEMAS STREAMS CONNECT_PREFIX",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := scorerFiles()
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			spec.FS, spec.Created, spec.Layers = files, tc.created, tc.layers
			for i := range tc.assets {
				name := string(rune('0'+i)) + ".csv"
				files[name] = files["rest.json"]
				spec.Assets = append(spec.Assets, bake.Asset{Path: name})
			}
			doBake(t, spec)
			config := configOf(t, pullImage(t, srv.Host+"/team/scorer:1"))
			var got []string
			for i, h := range config.History[len(configOf(t, base).History):] {
				got = append(got, h.Created.Format(time.RFC3339Nano), h.CreatedBy)
				if last := 2*i+2 == len(tc.want); h.EmptyLayer != last {
					t.Errorf("entry %d: empty layer is %v", i, h.EmptyLayer)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("history (-want +got):\n%s", diff)
			}
			if got := config.Created.Format(time.RFC3339Nano); got != tc.want[0] {
				t.Errorf("created %s, want %s", got, tc.want[0])
			}
			var replaced *string
			if !tc.created.IsZero() {
				was := created
				replaced = &was
			}
			if diff := cmp.Diff(replaced, recordOf(t, pullImage(t, srv.Host+"/team/scorer:1")).Created); diff != "" {
				t.Errorf("the record's created (-want +got):\n%s", diff)
			}
		})
	}
}
