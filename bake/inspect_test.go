// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

func inspect(t testing.TB, ref string, opts bake.InspectOptions) *bake.Inspection {
	t.Helper()
	found, err := bake.Inspect(t.Context(), ref, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What the report of a bake said, an inspection finds again, and reads none of
// the layers.
func TestInspect(t *testing.T) {
	for base, image := range map[string]remote.Taggable{
		"oci":    talkative(t, registrytest.ImageOptions{Layers: 3}),
		"docker": talkative(t, registrytest.ImageOptions{Layers: 3, Docker: true}),
		"index":  registrytest.BaseIndex(t, "linux/amd64", registrytest.Attestation, "linux/arm64/v8"),
	} {
		for _, what := range bakes {
			t.Run(base+"/"+what.name, func(t *testing.T) {
				t.Parallel()
				srv := startWith(t, registrytest.Options{}, image)
				spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
				what.change(&spec)
				report := doBake(t, spec)
				srv.Reset()
				found := inspect(t, srv.Host+"/team/scorer:1", bake.InspectOptions{})
				if n := srv.DownloadedBytes(); n > 64<<10 {
					t.Errorf("read %d bytes", n)
				}
				if found.Image != report.Image || found.Digest != report.Digest || found.MediaType != report.MediaType || found.Index != (base == "index") {
					t.Errorf("%s %s %s", found.Image, found.Digest, found.MediaType)
				}
				if len(found.Platforms) != len(report.Platforms) {
					t.Fatalf("platforms %v, want %v", found.Platforms, report.Platforms)
				}
				for i, p := range found.Platforms {
					checkInspected(t, p, report, i, spec)
				}
			})
		}
	}
}

func checkInspected(t *testing.T, p bake.InspectedPlatform, report *bake.Report, i int, spec bake.Spec) {
	t.Helper()
	want := report.Platforms[i]
	if p.Platform != want.Platform || p.Digest != want.Digest || !p.Recorded || p.Base.Name != report.Base.Name || *p.Base.Digest != want.BaseDigest {
		t.Errorf("platform %s %s on %s %s, want %+v", p.Platform, p.Digest, p.Base.Name, p.Base.Digest, want)
	}
	if diff := cmp.Diff(report.Layers, p.Layers); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(report.Env, p.Env.Set); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(len(spec.Labels), len(p.Labels.Set)); diff != "" {
		t.Errorf("labels %v, want %v", p.Labels.Set, spec.Labels)
	}
	if diff := cmp.Diff(len(spec.Annotations), len(p.Annotations.Set)); diff != "" {
		t.Errorf("annotations %v, want %v", p.Annotations.Set, spec.Annotations)
	}
	if p.Bindings.Model != "/assets/model.py3" || len(p.Findings) != 0 {
		t.Errorf("%+v, %v", p.Bindings, p.Findings)
	}
	layers := map[v1.Hash]bool{}
	for _, l := range p.Layers {
		layers[l.Digest] = true
	}
	if len(p.Files) < 5 {
		t.Errorf("%d files", len(p.Files))
	}
	for _, f := range p.Files {
		if f.Layer == nil || !layers[*f.Layer] {
			t.Errorf("%s is in layer %v", f.Path, f.Layer)
		}
	}
	text, err := json.Marshal(p)
	if err != nil || strings.Contains(string(text), "null") && len(p.Settings) == 0 {
		t.Errorf("%s, %v", text, err)
	}
}

// builtUpon is an image as docker build makes it: layers and variables, and no
// record. Each layer is pairs of a name and a content, see tarOf.
func builtUpon(t testing.TB, base v1.Image, env []string, layers ...[]string) v1.Image {
	t.Helper()
	for _, files := range layers {
		var err error
		if base, err = mutate.AppendLayers(base, static.NewLayer(tarOf(t, files...), types.OCIUncompressedLayer)); err != nil {
			t.Fatal(err)
		}
	}
	return edit(t, base, func(config, _ map[string]any) {
		c := config["config"].(map[string]any)
		for _, e := range env {
			c["Env"] = append(c["Env"].([]any), e)
		}
	})
}

// Without a record, layers are read from the top until every bound file is
// found, and no further.
func TestInspectWithoutRecord(t *testing.T) {
	for _, tc := range []struct {
		name   string
		env    []string
		layers [][]string
		files  []string // ROLE NAME PATH CONTENT
		read   int      // layers
		rules  []string
	}{
		{
			"in one layer",
			[]string{"MODEL=/a/m.py3", "STREAMS=0:/a/s.json"},
			[][]string{{"a/m.py3", "m", "a/s.json", "s", "a/beside", "b", "elsewhere", "e"}},
			[]string{"model  /a/m.py3 m", "stream 0 /a/s.json s", "asset  /a/beside b"},
			1, nil,
		},
		{
			"in several",
			[]string{"MODEL=/a/m.py3", "SCHEMAS=x:/b/x.avsc"},
			[][]string{{"b/x.avsc", "x"}, {"other", "o"}, {"a/m.py3", "m"}},
			[]string{"model  /a/m.py3 m", "schema x /b/x.avsc x"},
			3, nil,
		},
		{
			"covered by an upper one",
			[]string{"MODEL=/a/m.py3"},
			[][]string{{"a/m.py3", "old"}, {"a/m.py3", "new"}},
			[]string{"model  /a/m.py3 new"},
			1, nil,
		},
		{
			"deleted by an upper one",
			[]string{"MODEL=/a/m.py3"},
			[][]string{{"a/m.py3", "old"}, {"a/.wh.m.py3", ""}},
			nil, 4,
			[]string{"ENV-08"},
		},
		{
			"in a directory that an upper one made opaque",
			[]string{"MODEL=/a/m.py3"},
			[][]string{{"a/m.py3", "old"}, {"a/.wh..wh..opq", ""}},
			nil, 4,
			[]string{"ENV-08"},
		},
		{
			"behind links",
			[]string{"MODEL=/a/m.py3"},
			[][]string{{"c/real", "m"}, {"b", "->c"}, {"a/m.py3", "->../b/real"}},
			[]string{"model  /a/m.py3 m"},
			3, nil,
		},
		{
			"of the base",
			[]string{"MODEL=/engine"},
			[][]string{{"other", "o"}},
			[]string{"model  /engine #!/bin/sh\n"},
			3, nil,
		},
		{"nowhere", []string{"MODEL=/none.py3", "ATTACHMENTS=/x.zip"}, nil, nil, 2, []string{"ENV-08", "ENV-08"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, builtUpon(t, registrytest.BaseImage(t, registrytest.ImageOptions{}), tc.env, tc.layers...))
			p := inspect(t, srv.Host+"/team/base:1", bake.InspectOptions{}).Platforms[0]
			// A config is read, too.
			if n := srv.Count(http.MethodGet, "*/blobs/sha256:*") - 1; n != tc.read {
				t.Errorf("read %d layers, want %d", n, tc.read)
			}
			var files, rules []string
			for _, f := range p.Files {
				for _, content := range []string{"m", "s", "b", "x", "new", "#!/bin/sh\n"} {
					if sha256Hex([]byte(content)) == f.SHA256 {
						files = append(files, strings.Join([]string{string(f.Role), f.Name, f.Path, content}, " "))
					}
				}
				if f.Layer == nil {
					t.Errorf("%s is in no layer", f.Path)
				}
			}
			for _, f := range p.Findings {
				if f.Rule != "ENV-01" {
					rules = append(rules, f.Rule)
				}
			}
			if diff := cmp.Diff(tc.files, files); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.rules, rules); diff != "" || p.Recorded {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A bake that layers were put upon is found as if nobody had recorded it, and
// that is said.
func TestInspectUnderLayers(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	srv.Push(t, "team/more:1", builtUpon(t, pullImage(t, srv.Host+"/team/scorer:1"), nil, []string{"assets/model.py3", "new"}))
	found := inspect(t, srv.Host+"/team/more:1", bake.InspectOptions{})
	p := found.Platforms[0]
	if p.Recorded || len(found.Notes) != 2 || !strings.Contains(found.Notes[0], "layers upon its bake") {
		t.Errorf("recorded: %v, notes %q", p.Recorded, found.Notes)
	}
	if p.Files[0].SHA256 != sha256Hex([]byte("new")) {
		t.Errorf("model %+v", p.Files[0])
	}
}

// Which schema a slot has is what the model says, or else its stream, as far as
// small layers tell.
func TestInspectSlots(t *testing.T) {
	model := scorerFiles()["model.py3"].Data
	large := append(model, []byte("# "+sha256Hex(model)+"\n")...)
	for seed := byte(0); len(large) < 3<<20; seed++ {
		large = append(large, []byte("# "+strings.ReplaceAll(string(random(1<<19, seed)), "\n", " ")+"\n")...)
	}
	for _, tc := range []struct {
		name   string
		change func(*bake.Spec)
		want   []bake.InspectedSlot
	}{
		{"of the model", func(*bake.Spec) {}, []bake.InspectedSlot{
			{Number: 0, Stream: "/assets/rest.json", Schema: "input"},
			{Number: 1, Stream: "/assets/kafka.json", Schema: "output"},
		}},
		{"with unused and unbound ones", func(s *bake.Spec) {
			s.Streams = map[int]string{0: "rest.json", 3: "kafka.json"}
		}, []bake.InspectedSlot{
			{Number: 0, Stream: "/assets/rest.json", Schema: "input"},
			{Number: 1, Schema: "output"},
			{Number: 3, Stream: "/assets/kafka.json", Unused: true},
		}},
		{"of the streams, where the model is large", func(s *bake.Spec) {
			s.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: large}
			s.FS.(fstest.MapFS)["rest.json"] = &fstest.MapFile{Data: []byte(
				`{"Version": "1.2", "Transport": {"Type": "REST"}, "Encoding": "json", "Schema": {"$ref": "input"}}`)}
		}, []bake.InspectedSlot{
			{Number: 0, Stream: "/assets/rest.json", Schema: "input"},
			{Number: 1, Stream: "/assets/kafka.json"},
		}},
		{"of no runner", func(s *bake.Spec) {
			s.FS.(fstest.MapFS)["model.x"] = &fstest.MapFile{Data: model}
			s.Model = "model.x"
		}, []bake.InspectedSlot{{Number: 0, Stream: "/assets/rest.json"}, {Number: 1, Stream: "/assets/kafka.json"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			tc.change(&spec)
			doBake(t, spec)
			srv.Reset()
			p := inspect(t, srv.Host+"/team/scorer:1", bake.InspectOptions{Slots: true}).Platforms[0]
			if diff := cmp.Diff(tc.want, p.Slots); diff != "" {
				t.Errorf("slots (-want +got):\n%s", diff)
			}
			if n := srv.DownloadedBytes(); n > 64<<10 {
				t.Errorf("read %d bytes", n)
			}
			if slots := inspect(t, srv.Host+"/team/scorer:1", bake.InspectOptions{}).Platforms[0].Slots; slots != nil {
				t.Errorf("unasked: %v", slots)
			}
		})
	}
}

// What else a bake did to the config.
func TestInspectSettings(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, talkative(t, registrytest.ImageOptions{}))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.Settings = bake.Settings{User: "7", Cmd: []string{}, ExposedPorts: []string{"9000/tcp", "8003/tcp"}}
	doBake(t, spec)
	p := inspect(t, srv.Host+"/team/scorer:1", bake.InspectOptions{}).Platforms[0]
	want := map[string]json.RawMessage{"User": json.RawMessage(`"7"`), "Cmd": json.RawMessage("null"), "ExposedPorts": json.RawMessage(`["9000/tcp"]`)}
	if diff := cmp.Diff(want, p.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
}

func TestInspectRefused(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	srv.Push(t, "team/index:1", registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	lying := edit(t, pullImage(t, srv.Host+"/team/scorer:1"), func(config, _ map[string]any) {
		labels := config["config"].(map[string]any)["Labels"].(map[string]any)
		labels[bake.RecordLabel] = strings.Replace(labels[bake.RecordLabel].(string), `"layers":2`, `"layers":1`, 1)
	})
	srv.Push(t, "team/lying:1", lying)
	for _, tc := range []struct {
		name, ref string
		platforms []string
		err       error
		says      string
	}{
		{"nothing baked", "/team/base:1", nil, bake.ErrNotFound, "nothing is baked into it"},
		{"nothing baked into an index", "/team/index:1", nil, bake.ErrNotFound, "platform linux/amd64: nothing is baked into it"},
		{"a record that lies", "/team/lying:1", nil, bake.ErrIntegrity, "are not those of the base"},
		{"no such platform", "/team/scorer:1", []string{"linux/s390x"}, bake.ErrNotFound, "linux/s390x"},
		{"no platform", "/team/scorer:1", []string{"linux"}, bake.ErrUsage, "want OS/ARCH"},
		{"no image", "/team/none:1", nil, bake.ErrNotFound, "image "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := bake.Inspect(t.Context(), srv.Host+tc.ref, nil, bake.InspectOptions{Platforms: tc.platforms})
			if !errors.Is(err, tc.err) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %v with %q", err, tc.err, tc.says)
			}
		})
	}
}
