// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A rebase comes to what a bake of the same files onto the new base does.
func TestRebaseIsABakeOnTheNewBase(t *testing.T) {
	threePlatforms := []string{"linux/amd64", "linux/arm64/v8", "linux/s390x"}
	newEnv := []string{"LOG_LEVEL=warn", "STREAMS=0:/new.json", "ENGINE=2"}
	for _, tc := range []struct {
		name     string
		old, new remote.Taggable
	}{
		{"oci to oci", talkative(t, registrytest.ImageOptions{Layers: 3}), talkative(t, registrytest.ImageOptions{Layers: 5, Seed: 2})},
		{"oci to docker", talkative(t, registrytest.ImageOptions{Layers: 3}), registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 1, Seed: 2, Docker: true, Env: newEnv})},
		{"docker to oci", talkative(t, registrytest.ImageOptions{Layers: 3, Docker: true}), talkative(t, registrytest.ImageOptions{Layers: 5, Seed: 2})},
		{
			"three platforms, another Env, another number of layers, Docker's media types",
			registrytest.BaseIndexOf(t, registrytest.ImageOptions{Layers: 3, Env: []string{"LOG_LEVEL=debug"}}, threePlatforms...),
			registrytest.BaseIndexOf(t, registrytest.ImageOptions{Layers: 4, Seed: 2, Docker: true, Env: newEnv}, threePlatforms...),
		},
		{
			"one platform of an index", talkative(t, registrytest.ImageOptions{Layers: 3}),
			registrytest.BaseIndexOf(t, registrytest.ImageOptions{Seed: 2}, threePlatforms...),
		},
	} {
		for _, what := range bakes {
			t.Run(tc.name+"/"+what.name, func(t *testing.T) {
				t.Parallel()
				srv := startWith(t, registrytest.Options{}, tc.old)
				srv.Push(t, "team/base:2", tc.new)
				spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
				spec.ConnectPrefix = "https://connect.example.com:8001"
				what.change(&spec)
				doBake(t, spec)

				spec.Base, spec.Tags = srv.Host+"/team/base:2", []string{srv.Host + "/team/want:1"}
				if _, isImage := tc.old.(v1.Image); isImage {
					spec.Platforms = []string{"linux/amd64"}
				}
				want := doBake(t, spec)
				srv.Reset()
				got, err := bake.Rebase(t.Context(), srv.Host+"/team/scorer:1", nil, bake.RebaseOptions{Base: spec.Base}, srv.Host+"/team/got:1")
				if err != nil {
					t.Fatal(err)
				}
				if got.Digest != want.Digest {
					t.Errorf("digest %s, want %s\n%s\n%s", got.Digest, want.Digest, pullRaw(t, got.Image), pullRaw(t, want.Image))
				}
				if got.Base != want.Base || cmp.Diff(want.Env, got.Env) != "" || cmp.Diff(want.Layers, got.Layers) != "" {
					t.Errorf("the report says %+v, want %+v", got, want)
				}
				if up, down := srv.UploadedBytes(), srv.DownloadedBytes(); up+down > 64<<10 || got.Transfer.CopiedBytes != 0 {
					t.Errorf("moved %d bytes up and %d down, %+v, want manifests and configs only", up, down, got.Transfer)
				}
				if what.name != "zstd" { // which the library's validation knows nothing of
					validAny(t, got.Image)
				}
			})
		}
	}
}

// validAny checks every blob of an image or of an index.
func validAny(t testing.TB, ref string) {
	t.Helper()
	desc, err := remote.Get(reference(t, ref))
	if err != nil {
		t.Fatal(err)
	}
	if desc.MediaType.IsIndex() {
		validIndex(t, must[v1.ImageIndex](t)(desc.ImageIndex()))
		return
	}
	validImage(t, must[v1.Image](t)(desc.Image()))
}

// Without a base's name, the tag of the record is followed to where it is now;
// rebased onto the same image, nothing changes.
func TestRebaseFollowsTheTag(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, talkative(t, registrytest.ImageOptions{}))
	first := doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	same, err := bake.Rebase(t.Context(), srv.Host+"/team/scorer:1", nil, bake.RebaseOptions{}, srv.Host+"/team/scorer:2")
	if err != nil || same.Digest != first.Digest {
		t.Fatalf("onto the same base: %v, %v, want %s", same, err, first.Digest)
	}
	patched := talkative(t, registrytest.ImageOptions{Seed: 9})
	srv.Push(t, "team/base:1", patched)
	next, err := bake.Rebase(t.Context(), srv.Host+"/team/scorer:1", nil, bake.RebaseOptions{}, srv.Host+"/team/scorer:3")
	if err != nil || next.Base.Digest != digestOf(t, patched) {
		t.Fatalf("onto the patched base: %v, %v", next, err)
	}
}

// What Docker built upon an engine image has no record; the old base tells
// where the bake begins.
func TestRebaseWithoutRecord(t *testing.T) {
	old := talkative(t, registrytest.ImageOptions{Layers: 3})
	srv := startWith(t, registrytest.Options{}, old)
	fresh := talkative(t, registrytest.ImageOptions{Layers: 2, Seed: 4})
	srv.Push(t, "team/base:2", fresh)
	built, err := mutate.AppendLayers(old, static.NewLayer(tarOf(t, "assets/model.py3", "m"), types.OCIUncompressedLayer))
	if err != nil {
		t.Fatal(err)
	}
	built = edit(t, built, func(config, _ map[string]any) {
		c := config["config"].(map[string]any)
		c["Env"] = append(c["Env"].([]any), "MODEL=/assets/model.py3")
		c["WorkingDir"] = "/assets"
		c["ExposedPorts"].(map[string]any)["9000/tcp"] = map[string]any{}
		config["history"] = append(config["history"].([]any), map[string]any{"created_by": "ENV MODEL", "empty_layer": true, "comment": "buildkit"})
	})
	srv.Push(t, "team/built:1", built)

	_, err = bake.Rebase(t.Context(), srv.Host+"/team/built:1", nil, bake.RebaseOptions{Base: srv.Host + "/team/base:2"}, srv.Host+"/team/x:1")
	if !errors.Is(err, bake.ErrNotFound) || !strings.Contains(err.Error(), "no record") {
		t.Errorf("without an old base: %v", err)
	}
	_, err = bake.Rebase(t.Context(), srv.Host+"/team/built:1", nil, bake.RebaseOptions{Base: srv.Host + "/team/base:1", OldBase: srv.Host + "/team/base:2"}, srv.Host+"/team/x:1")
	if !errors.Is(err, bake.ErrIntegrity) || !strings.Contains(err.Error(), "is not below it") {
		t.Errorf("with a wrong old base: %v", err)
	}
	if _, err := remote.Head(reference(t, srv.Host+"/team/x:1")); err == nil {
		t.Error("the tag exists")
	}
	opts := bake.RebaseOptions{Base: srv.Host + "/team/base:2", OldBase: srv.Host + "/team/base:1"}
	if _, err = bake.Rebase(t.Context(), srv.Host+"/team/built:1", nil, opts, srv.Host+"/team/rebased:1"); err != nil {
		t.Fatal(err)
	}
	img := pullImage(t, srv.Host+"/team/rebased:1")
	validImage(t, img)
	was, is := configOf(t, fresh), configOf(t, img)
	if diff := cmp.Diff(append(was.RootFS.DiffIDs, configOf(t, built).RootFS.DiffIDs[3]), is.RootFS.DiffIDs); diff != "" {
		t.Errorf("layers (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(append(was.Config.Env, "MODEL=/assets/model.py3", "CONNECT_PREFIX=https://connect:8001"), is.Config.Env); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
	if is.Config.WorkingDir != "/assets" || len(is.Config.ExposedPorts) != 2 || is.Config.User != was.Config.User {
		t.Errorf("config %+v", is.Config)
	}
	if n := len(is.History); is.History[n-1].Comment != "buildkit" || n != len(was.History)+2 {
		t.Errorf("history %+v", is.History)
	}
	// Its record lets it go on without the old base.
	again, err := bake.Rebase(t.Context(), srv.Host+"/team/rebased:1", nil, bake.RebaseOptions{Base: srv.Host + "/team/base:1"}, srv.Host+"/team/again:1")
	if err != nil {
		t.Fatal(err)
	}
	validImage(t, pullImage(t, again.Image))
}

// Platforms that were not baked, or are not in the new base.
func TestRebasePlatforms(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	srv.Push(t, "team/base:2", registrytest.BaseIndexOf(t, registrytest.ImageOptions{Seed: 2}, "linux/amd64", "linux/arm64", "linux/s390x"))
	srv.Push(t, "team/base:3", registrytest.BaseIndexOf(t, registrytest.ImageOptions{Seed: 3}, "linux/amd64"))
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	for _, tc := range []struct {
		name, base string
		platforms  []string
		want       int
		err        error
	}{
		{"those of the image", ":2", nil, 2, nil},
		{"one of them", ":2", []string{"linux/arm64"}, 1, nil},
		{"a further one", ":2", []string{"linux/amd64", "linux/s390x"}, 2, nil},
		{"the base lacks one", ":3", nil, 0, bake.ErrNotFound},
		{"nobody has it", ":2", []string{"linux/mips"}, 0, bake.ErrNotFound},
		{"none", ":2", []string{"linux"}, 0, bake.ErrUsage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			opts := bake.RebaseOptions{Base: srv.Host + "/team/base" + tc.base, Platforms: tc.platforms}
			report, err := bake.Rebase(t.Context(), srv.Host+"/team/scorer:1", nil, opts, srv.Host+"/team/rebased:1")
			if !errors.Is(err, tc.err) {
				t.Fatalf("got %v, want %v", err, tc.err)
			}
			if err == nil && len(report.Platforms) != tc.want {
				t.Errorf("platforms %v, want %d", report.Platforms, tc.want)
			}
		})
	}
}
