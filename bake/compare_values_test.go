// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

func TestCompareWithoutRecord(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{LayerSize: 300 << 10})
	srv := startWith(t, registrytest.Options{}, base)
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: []byte("# another\n")}
	spec.FS.(fstest.MapFS)["input.avsc"] = &fstest.MapFile{Data: []byte(`{"type": "record", "name": "In", "fields": [{"name": "n", "type": "int"}]}`)}
	spec.Assets = []bake.Asset{{Path: "rest.json", Dest: "lookup/rest.json"}}
	doBake(t, spec)
	srv.Push(t, "team/built:1", built(t, base, "STREAMS=0:/assets/rest.json"))
	srv.Reset()
	p := difference(t, srv, "/team/scorer:1", "/team/built:1")
	if down := srv.DownloadedBytes(); down > 64<<10 {
		t.Errorf("moved %d bytes", down)
	}
	var paths []string
	for _, f := range p.Platforms[0].Files {
		paths = append(paths, f.Path)
	}
	if diff := cmp.Diff([]string{"/assets/input.avsc", "/assets/model.py3"}, paths); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]bake.Change{{Name: "stream 1", A: text("/assets/kafka.json")}}, p.Platforms[0].Bindings); diff != "" {
		t.Errorf("bindings (-want +got):\n%s", diff)
	}
	if s := p.Platforms[0].Schemas; len(s) != 1 || s[0].Verdict != bake.SchemaCompatible && s[0].Verdict != bake.SchemaBreaking {
		t.Errorf("schemas %+v", s)
	}
	want := []string{
		srv.Host + "/team/built:1 does not tell what it was made of: the bases were not compared",
		srv.Host + "/team/built:1 has no record of a bake: its variables, labels, annotations and settings are those of base and bake together, and of files that are not bound only those in both images are compared",
	}
	if diff := cmp.Diff(want, p.Notes); diff != "" {
		t.Errorf("notes (-want +got):\n%s", diff)
	}
}

// A file that a bake leaves to its base is not gone.
func TestCompareWithItsBase(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, built(t, registrytest.BaseImage(t, registrytest.ImageOptions{}), "STREAMS=0:/assets/rest.json;1:/assets/kafka.json"))
	rebind := bake.RebindOptions{FS: rebindFiles(t), Streams: map[int]string{1: "kafka-prod.json"}}
	if _, err := bake.Rebind(t.Context(), srv.Host+"/team/base:1", nil, rebind, srv.Host+"/team/rebound:1"); err != nil {
		t.Fatal(err)
	}
	for _, tc := range [][2]string{{"base", "rebound"}, {"rebound", "base"}} {
		d := difference(t, srv, "/team/"+tc[0]+":1", "/team/"+tc[1]+":1")
		var paths []string
		for _, f := range d.Platforms[0].Files {
			paths = append(paths, f.Path)
		}
		if diff := cmp.Diff([]string{"/assets/kafka-prod.json", "/assets/kafka.json"}, paths); diff != "" {
			t.Errorf("files of %s (-want +got):\n%s", tc, diff)
		}
		if note := srv.Host + "/team/rebound:1 has /assets/model.py3 from its base: it was not compared"; !slices.Contains(d.Notes, note) {
			t.Errorf("notes of %s %q, want %q", tc, d.Notes, note)
		}
	}
}

// What comes with a base, and what a bake and a Dockerfile set alike, is no
// difference, whether or not anybody recorded who set it.
func TestCompareValuesWithoutRecord(t *testing.T) {
	base := edit(t, talkative(t, registrytest.ImageOptions{}), func(config, _ map[string]any) {
		delete(config["config"].(map[string]any), "X-Engine-Limits") // which other tools lose
	})
	srv := startWith(t, registrytest.Options{}, base)
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.Env = map[string]string{"LOG_LEVEL": "info", "REGION": "eu"}
	spec.Labels = map[string]string{"team": "risk", "owner": "me"}
	spec.Settings.User = "1001"
	doBake(t, spec)
	streams := "STREAMS=0:/assets/rest.json;1:/assets/kafka.json"
	alike := edit(t, built(t, base, streams, "REGION=eu", "LOG_LEVEL=info"), func(config, manifest map[string]any) {
		c := config["config"].(map[string]any)
		c["User"], c["Labels"] = "1001", map[string]any{"team": "risk", "owner": "me", "vendor": "x"}
		c["Hostname"], c["Cmd"] = "0123456789ab", nil // docker build leaves these
		manifest["annotations"].(map[string]any)[baseName] = srv.Host + "/team/base:1"
		manifest["annotations"].(map[string]any)[baseDigest] = digestOf(t, base).String()
	})
	srv.Push(t, "team/alike:1", alike)
	srv.Push(t, "team/other:1", edit(t, alike, func(config, manifest map[string]any) {
		c := config["config"].(map[string]any)
		c["User"], c["Labels"] = "0", map[string]any{"team": "risk", "vendor": "y"}
		c["Entrypoint"] = []string{"/bin/sh"}
		inEnv(t, "REGION=eu", "REGION=us")(config, manifest)
		manifest["annotations"].(map[string]any)["note"] = "x"
	}))
	changed := bake.PlatformDifference{
		Env:         []bake.Change{{Name: "REGION", A: text("eu"), B: text("us")}},
		Labels:      []bake.Change{{Name: "owner", A: text("me")}, {Name: "vendor", A: text("x"), B: text("y")}},
		Annotations: []bake.Change{{Name: "note", B: text("x")}},
		Settings:    []bake.Change{{Name: "Entrypoint", A: text(`["/engine"]`), B: text(`["/bin/sh"]`)}, {Name: "User", A: text(`"1001"`), B: text(`"0"`)}},
	}
	for _, tc := range []struct {
		a, b string
		want bake.PlatformDifference
	}{
		{"scorer", "alike", bake.PlatformDifference{}},
		{"scorer", "other", changed},
		{"alike", "other", changed},
	} {
		p := difference(t, srv, "/team/"+tc.a+":1", "/team/"+tc.b+":1").Platforms[0]
		got := bake.PlatformDifference{Base: p.Base, Bindings: p.Bindings, Files: p.Files, Env: p.Env, Labels: p.Labels, Annotations: p.Annotations, Settings: p.Settings}
		if diff := cmp.Diff(tc.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s and %s (-want +got):\n%s", tc.a, tc.b, diff)
		}
	}
}
