// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// verified wants the image at ref to be what it says.
func verified(t testing.TB, ref string) *bake.Verification {
	t.Helper()
	v, err := bake.Verify(t.Context(), ref, nil, bake.VerifyOptions{})
	if err != nil {
		t.Fatalf("verifying %s: %v %v", ref, err, foundIn(err))
	}
	for _, p := range v.Platforms {
		for _, c := range p.Checks {
			if c.Result == bake.CheckFailed {
				t.Errorf("%s: %s: %s", p.Platform, c.Check, c.Result)
			}
		}
	}
	return v
}

// Whatever a bake, a rebase or a rebind makes is what its record says.
func TestVerifyWhatWasBaked(t *testing.T) {
	for base, image := range map[string]remote.Taggable{
		"oci":    talkative(t, registrytest.ImageOptions{Layers: 3}),
		"docker": registrytest.BaseImage(t, registrytest.ImageOptions{Docker: true}),
		"index":  registrytest.BaseIndexOf(t, registrytest.ImageOptions{}, "linux/amd64", "linux/arm64/v8"),
	} {
		for _, what := range append(bakes[:len(bakes):len(bakes)], struct {
			name   string
			change func(*bake.Spec)
		}{"unpacked", func(s *bake.Spec) {
			everything(s)
			s.FS.(fstest.MapFS)["weights.tar"] = &fstest.MapFile{Data: tarOf(t, "w/b", "bb", "w/a", "a", "w/link", "->a", "empty/", "")}
			s.FS.(fstest.MapFS)["a name.csv"] = s.FS.(fstest.MapFS)["input.avsc"]
			s.Unpack = map[string]string{"weights.tar": "weights"}
			s.Assets = append(s.Assets, bake.Asset{Path: "a name.csv"}, bake.Asset{Path: "a name.csv", Dest: "/opt/engine/x"})
			s.Schemas["again"] = "input.avsc"
			s.Layers = bake.LayersSingle
		}}, struct {
			name   string
			change func(*bake.Spec)
		}{"copied", func(s *bake.Spec) {
			s.FS.(fstest.MapFS)["lookup/x"] = &fstest.MapFile{Data: []byte("x"), Mode: 0o644}
			for _, f := range s.FS.(fstest.MapFS) {
				f.Mode = 0o644
			}
			s.Model, s.Schemas, s.Streams = "", nil, nil
			s.Env = map[string]string{
				"MODEL": "/opt/scorer/model.py3", "SCHEMAS": "input:/opt/scorer/input.avsc;output:/opt/scorer/output.avsc",
				"STREAMS": "0:/opt/scorer/rest.json;1:/opt/scorer/kafka.json", "CONNECT_PREFIX": "https://connect:8001",
			}
			s.Copies = []bake.Copy{{Path: ".", Dest: "/opt/scorer", Owner: &bake.Owner{UID: 1000, GID: 1000}}, {Dest: "/var/scores/deep"}}
			s.AssetsDir = "/opt/scorer"
		}}) {
			t.Run(base+"/"+what.name, func(t *testing.T) {
				t.Parallel()
				srv := startWith(t, registrytest.Options{}, image)
				srv.Push(t, "team/base:2", talkative(t, registrytest.ImageOptions{Layers: 1, Seed: 7}))
				spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
				what.change(&spec)
				report := doBake(t, spec)
				srv.Reset()
				v := verified(t, srv.Host+"/team/scorer:1")
				var layers int64
				for _, l := range report.Layers {
					layers += l.Size
				}
				if v.ReadBytes != layers || v.Layers != len(report.Layers) || srv.DownloadedBlobBytes() > layers+int64(len(v.Platforms)*16<<10) {
					t.Errorf("read %d bytes of %d layers, %d in all, want %d of %d", v.ReadBytes, v.Layers, srv.DownloadedBlobBytes(), layers, len(report.Layers))
				}
				if !v.Recorded || len(v.Platforms) != len(report.Platforms) || v.Digest != report.Digest || len(v.Notes) > 1 {
					t.Errorf("it says %+v", v)
				}
				if got, want := rulesOf(v.Findings), rulesOf(newPlan(t, spec).Findings()); cmp.Diff(want, got) != "" {
					t.Errorf("findings (-want +got):\n%s", cmp.Diff(want, got))
				}

				opts := bake.RebaseOptions{Base: srv.Host + "/team/base:2"}
				if base == "index" {
					opts.Platforms = []string{"linux/amd64"}
				}
				if _, err := bake.Rebase(t.Context(), srv.Host+"/team/scorer:1", nil, opts, srv.Host+"/team/scorer:2"); err != nil {
					t.Fatal(err)
				}
				verified(t, srv.Host+"/team/scorer:2")
				rebind := bake.RebindOptions{FS: rebindFiles(t), Streams: map[int]string{1: "kafka-prod.json"}, Schemas: map[string]string{"more": "spare.avsc"}}
				if _, err := bake.Rebind(t.Context(), srv.Host+"/team/scorer:2", nil, rebind, srv.Host+"/team/scorer:3"); err != nil {
					t.Fatal(err)
				}
				verified(t, srv.Host+"/team/scorer:3")
			})
		}
	}
}

func rulesOf(findings []engine.Finding) map[finding]int {
	rules := map[finding]int{}
	for _, f := range findings {
		rules[finding{f.Rule, f.Severity}]++
	}
	return rules
}

// built is what Docker makes of scorerFiles: no record, and the files in a
// layer of their own.
func built(t testing.TB, base v1.Image, env ...string) v1.Image {
	t.Helper()
	var pairs []string
	for _, name := range []string{"model.py3", "input.avsc", "output.avsc", "rest.json", "kafka.json"} {
		pairs = append(pairs, "assets/"+name, string(scorerFiles()[name].Data))
	}
	img, err := mutate.AppendLayers(base, static.NewLayer(readable(t, pairs...), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	return edit(t, img, func(config, _ map[string]any) {
		c := config["config"].(map[string]any)
		for _, e := range append(env, "MODEL=/assets/model.py3", "SCHEMAS=input:/assets/input.avsc;output:/assets/output.avsc", "CONNECT_PREFIX=https://connect:8001") {
			c["Env"] = append(c["Env"].([]any), e)
		}
	})
}

// An image without a record is verified as far as it goes, before and after a
// rebase and a rebind.
func TestVerifyWithoutRecord(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3, LayerSize: 300 << 10})
	srv := startWith(t, registrytest.Options{}, base)
	srv.Push(t, "team/base:2", talkative(t, registrytest.ImageOptions{Seed: 3}))
	srv.Push(t, "team/built:1", built(t, base, "STREAMS=0:/assets/rest.json;1:/assets/kafka.json"))
	srv.Reset()
	v := verified(t, srv.Host+"/team/built:1")
	if v.Recorded || v.Layers != 1 || v.Assets != 0 || srv.DownloadedBytes() > 64<<10 {
		t.Errorf("read %d bytes, %+v", srv.DownloadedBytes(), v)
	}
	if want := []string{"no record of a bake: its assets cannot be compared"}; cmp.Diff(want, v.Notes) != "" {
		t.Errorf("notes (-want +got):\n%s", cmp.Diff(want, v.Notes))
	}
	want := []bake.VerifiedCheck{
		{Check: "manifest", Result: bake.CheckPassed},
		{Check: "record", Result: bake.CheckSkipped, Reason: "it has no record of a bake"},
		{Check: "config", Result: bake.CheckSkipped, Reason: "it has no record of a bake"},
		{Check: "annotations", Result: bake.CheckSkipped, Reason: "it has no record of a bake"},
		{Check: "layers", Result: bake.CheckPassed},
		{Check: "base layers", Result: bake.CheckPassed},
		{Check: "base", Result: bake.CheckSkipped, Reason: "it has no record of a bake"},
		{Check: "assets", Result: bake.CheckSkipped, Reason: "it has no record of a bake"},
		{Check: "contract", Result: bake.CheckPassed},
	}
	if diff := cmp.Diff(want, v.Platforms[0].Checks); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}

	opts := bake.RebaseOptions{Base: srv.Host + "/team/base:2", OldBase: srv.Host + "/team/base:1"}
	if _, err := bake.Rebase(t.Context(), srv.Host+"/team/built:1", nil, opts, srv.Host+"/team/rebased:1"); err != nil {
		t.Fatal(err)
	}
	if v := verified(t, srv.Host+"/team/rebased:1"); !v.Recorded || len(v.Notes) != 1 || !strings.Contains(v.Notes[0], "packed by another tool") {
		t.Errorf("rebased: %+v", v)
	}
	rebind := bake.RebindOptions{FS: rebindFiles(t), Streams: map[int]string{1: "kafka-prod.json"}}
	for _, from := range []string{"/team/built:1", "/team/rebased:1"} {
		if _, err := bake.Rebind(t.Context(), srv.Host+from, nil, rebind, srv.Host+"/team/rebound:1"); err != nil {
			t.Fatal(err)
		}
		verified(t, srv.Host+"/team/rebound:1")
	}
}

// What breaks the contract is found in an image too, whoever made it.
func TestVerifyContract(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{})
	srv := startWith(t, registrytest.Options{}, base)
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS.(fstest.MapFS)["output.avsc"] = &fstest.MapFile{Data: []byte(`"dubble"`)}
	spec.Schemas["spare"] = "input.avsc"
	doBake(t, spec)
	srv.Push(t, "team/built:1", built(t, base, "STREAMS=0:/assets/rest.json;1:/assets/missing.json"))
	for _, tc := range []struct {
		image   string
		opts    bake.VerifyOptions
		finding finding
		none    bool
	}{
		{"scorer", bake.VerifyOptions{}, finding{"S-03", engine.Error}, false},
		{"scorer", bake.VerifyOptions{Allow: []string{"S-03"}}, finding{"S-03", engine.Note}, true},
		{"scorer", bake.VerifyOptions{Allow: []string{"S-03"}, Strict: true}, finding{"X-06", engine.Warning}, false},
		{"built", bake.VerifyOptions{}, finding{"ENV-08", engine.Error}, false},
	} {
		v, err := bake.Verify(t.Context(), srv.Host+"/team/"+tc.image+":1", nil, tc.opts)
		if tc.none && err != nil {
			t.Errorf("%s, %+v: %v", tc.image, tc.opts, err)
		} else if !tc.none {
			forbidden(t, err, tc.finding)
		}
		if v == nil || rulesOf(v.Findings)[tc.finding] != 1 || len(v.Mismatches) > 0 {
			t.Errorf("%s, %+v: %+v", tc.image, tc.opts, v)
		}
	}
}

// A bake may give its base another name, and a base in a file has none.
func TestVerifyBaseName(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.Annotations = map[string]string{baseName: "docker.io/fastscore/engine:1", "note": "x"}
	doBake(t, spec)
	if v, want := verified(t, srv.Host+"/team/scorer:1"), `annotation `+baseName+` is "docker.io/fastscore/engine:1"; the record calls the base "`+srv.Host+`/team/base:1"`; len(v.Notes) != 1 || v.Notes[0] != want {
		t.Errorf("notes %q, want %q", v.Notes, want)
	}
	dir := t.TempDir()
	into := must[layout.Path](t)(layout.Write(dir, empty.Index))
	if err := into.AppendImage(registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 2})); err != nil {
		t.Fatal(err)
	}
	spec.Base, spec.Tags, spec.Annotations = "oci:"+dir, []string{srv.Host + "/team/scorer:2"}, nil
	doBake(t, spec)
	if v, want := verified(t, srv.Host+"/team/scorer:2"), []string{"the record names no base in a registry: what is not of the bake was not compared with it"}; cmp.Diff(want, v.Notes) != "" {
		t.Errorf("notes (-want +got):\n%s", cmp.Diff(want, v.Notes))
	}
}

func TestVerifyRefuses(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	for _, tc := range []struct {
		name, ref string
		opts      bake.VerifyOptions
		want      error
		says      string
	}{
		{"nothing is baked", "/team/base:1", bake.VerifyOptions{}, bake.ErrNotFound, "nothing is baked into it"},
		{"no image", "/team/none:1", bake.VerifyOptions{}, bake.ErrNotFound, "team/none"},
		{"no such platform", "/team/scorer:1", bake.VerifyOptions{Platforms: []string{"linux/mips"}}, bake.ErrNotFound, "linux/mips"},
		{"no platform", "/team/scorer:1", bake.VerifyOptions{Platforms: []string{"mips"}}, bake.ErrUsage, "OS/ARCH"},
		{"no such rule", "/team/scorer:1", bake.VerifyOptions{Allow: []string{"X-0"}}, bake.ErrUsage, "X-0"},
		{"no reference", "/team/Scorer", bake.VerifyOptions{}, bake.ErrUsage, "Scorer"},
	} {
		v, err := bake.Verify(t.Context(), srv.Host+tc.ref, nil, tc.opts)
		if v != nil || !errors.Is(err, tc.want) || errors.Is(err, bake.ErrIntegrity) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: got %v, %v", tc.name, v, err)
		}
	}
}
