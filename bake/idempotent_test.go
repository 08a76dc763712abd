// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// talkative is a base that has something of all that a bake may replace.
func talkative(t testing.TB, o registrytest.ImageOptions) v1.Image {
	t.Helper()
	o.Env = []string{"PATH=/bin", "STREAMS=0:/old.json", "LOG_LEVEL=debug", "LAST=1"}
	return edit(t, registrytest.BaseImage(t, o), func(config, manifest map[string]any) {
		c := config["config"].(map[string]any)
		c["Labels"] = map[string]any{"team": "engines", "vendor": "x"}
		c["ExposedPorts"] = map[string]any{"8003/tcp": map[string]any{}}
		c["Healthcheck"] = map[string]any{"Test": []any{"NONE"}}
		if o.Docker {
			return
		}
		manifest["annotations"] = map[string]any{
			"org.opencontainers.image.base.name": "docker.io/library/ubuntu:22.04", "org.opencontainers.image.title": "engine", "kept": "1",
		}
	})
}

// everything is a bake that changes all that a bake can change.
func everything(s *bake.Spec) {
	s.FS.(fstest.MapFS)["lookup/a.csv"] = &fstest.MapFile{Data: random(1<<20, 3)}
	s.Assets = []bake.Asset{{Path: "lookup"}}
	s.ConnectPrefix = "https://other:8001"
	s.Env = map[string]string{"LOG_LEVEL": "info", "NEW": "1"}
	s.Labels = map[string]string{"team": "risk", "stage": "dev"}
	s.Settings = bake.Settings{
		User: "7", WorkingDir: "/srv", StopSignal: "SIGINT", Entrypoint: []string{"/run"}, Cmd: []string{},
		ExposedPorts: []string{"9000/tcp"}, Volumes: []string{"/data"},
	}
	s.Created = time.Unix(1700000000, 0)
	s.Layers = bake.LayersClass
}

var bakes = []struct {
	name   string
	change func(*bake.Spec)
}{
	{"plain", func(*bake.Spec) {}},
	{"everything", everything},
	{"annotations", func(s *bake.Spec) {
		everything(s)
		s.Annotations = map[string]string{"org.opencontainers.image.title": "scorer", "added": "1"}
	}},
	{"zstd", func(s *bake.Spec) { s.Compression.Algorithm = bake.Zstd }},
}

// Baking onto a baked image replaces its bake: the result is the one that the
// engine image gives.
func TestBakesDoNotStack(t *testing.T) {
	bases := map[string]remote.Taggable{
		"oci":    talkative(t, registrytest.ImageOptions{Layers: 3}),
		"docker": talkative(t, registrytest.ImageOptions{Layers: 3, Docker: true}),
		"index":  registrytest.BaseIndex(t, "linux/amd64", registrytest.Attestation, "linux/arm64/v8"),
	}
	for name, base := range bases {
		for _, first := range bakes {
			for _, second := range bakes {
				t.Run(name+"/"+second.name+" upon "+first.name, func(t *testing.T) {
					t.Parallel()
					srv := startWith(t, registrytest.Options{}, base)
					engine, old := srv.Host+"/team/base:1", srv.Host+"/team/old:1"
					spec := scorer(engine, old)
					first.change(&spec)
					doBake(t, spec)

					spec = scorer(engine, srv.Host+"/team/want:1")
					second.change(&spec)
					want := doBake(t, spec)
					spec.Base, spec.Tags = old, []string{srv.Host + "/team/got:1"}
					got := doBake(t, spec)
					if got.Digest != want.Digest {
						t.Errorf("digest %s, want %s\n%s\n%s", got.Digest, want.Digest, pullRaw(t, got.Image), pullRaw(t, want.Image))
					}
					if got.Base != want.Base {
						t.Errorf("the base is %v, want %v", got.Base, want.Base)
					}
					if len(got.Notes) == 0 || !strings.Contains(got.Notes[len(got.Notes)-1]+got.Notes[0], "its bake is replaced") {
						t.Errorf("notes %q, want one about the bake that was replaced", got.Notes)
					}
				})
			}
		}
	}
}

// pullRaw is a manifest or index and its config, to be shown.
func pullRaw(t testing.TB, ref string) string {
	t.Helper()
	desc, err := remote.Get(reference(t, ref))
	if err != nil {
		t.Fatal(err)
	}
	if desc.MediaType.IsIndex() {
		return string(desc.Manifest)
	}
	img, err := desc.Image()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return string(desc.Manifest) + "\n" + string(config)
}

// What was built upon a bake is not torn apart: a bake goes on top of it, and
// is itself replaced by the next.
func TestBakeUponWhatWasBuiltUponABake(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, talkative(t, registrytest.ImageOptions{}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/baked:1"))
	more, err := mutate.AppendLayers(pullImage(t, srv.Host+"/team/baked:1"), static.NewLayer([]byte("x"), types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	srv.Push(t, "team/more:1", more)
	want := doBake(t, scorer(srv.Host+"/team/more:1", srv.Host+"/team/scorer:1"))
	if want.Base.Name != srv.Host+"/team/more:1" {
		t.Errorf("the base is %s", want.Base.Name)
	}
	got := doBake(t, scorer(srv.Host+"/team/scorer:1", srv.Host+"/team/again:1"))
	if got.Digest != want.Digest {
		t.Errorf("digest %s, want %s\n%s\n%s", got.Digest, want.Digest, pullRaw(t, got.Image), pullRaw(t, want.Image))
	}
}

// A record that does not fit its image is an integrity error.
func TestRecordThatLies(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, talkative(t, registrytest.ImageOptions{Layers: 3}))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/baked:1"))
	baked := pullImage(t, srv.Host+"/team/baked:1")
	for _, tc := range []struct{ name, old, new, says string }{
		{"half", `"version":1,"base":{`, `"version":1,"base":`, "is no record"},
		{"no version", `"version":1,`, ``, "has no version"},
		{"newer", `"version":1,`, `"version":2,`, "of a newer crane-bake"},
		{"more layers than there are", `"layers":3,"history"`, `"layers":30,"history"`, "gives the base 30 layers; the image has 4"},
		{"a negative number of layers", `"layers":3,"history"`, `"layers":-3,"history"`, "gives the base -3 layers"},
		{"another seam", `"layers":3,"history"`, `"layers":2,"history"`, "the first 2 layers are not those of the base"},
		{"no base", `"digest":"sha256:`, `"digezt":"sha256:`, "names no base"},
		{"more history than there is", `"history":4`, `"history":400`, "gives the base 400 history entries"},
		{"a variable that is not set", `"CONNECT_PREFIX",`, `"NOBODY",`, "variable NOBODY is not set"},
		{"more layers of its own", `"layers":["files"]`, `"layers":["files","model"]`, "1 of the bake's layers are missing"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lying := edit(t, baked, func(config, _ map[string]any) {
				labels := config["config"].(map[string]any)["Labels"].(map[string]any)
				record := labels[bake.RecordLabel].(string)
				labels[bake.RecordLabel] = strings.Replace(record, tc.old, tc.new, 1)
				if labels[bake.RecordLabel] == record {
					t.Fatalf("no %s in %s", tc.old, record)
				}
			})
			srv.Push(t, "team/lying:1", lying)
			spec := scorer(srv.Host+"/team/lying:1", srv.Host+"/team/scorer:1")
			_, err := bake.Bake(t.Context(), spec, nil, bake.Options{})
			if err == nil || !strings.Contains(err.Error(), tc.says) || errors.Is(err, bake.ErrIntegrity) != (tc.name != "newer") {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
}
