// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest_test

import (
	"archive/tar"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

func digest(t *testing.T, x interface{ Digest() (v1.Hash, error) }) v1.Hash {
	t.Helper()
	h, err := x.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestBaseImage(t *testing.T) {
	for name, o := range map[string]registrytest.ImageOptions{
		"default": {},
		"docker":  {Docker: true, Layers: 5, LayerSize: 10_000},
		"arm":     {Platform: "linux/arm64/v8", Annotations: map[string]string{"a": "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			img := registrytest.BaseImage(t, o)
			if err := validate.Image(img); err != nil {
				t.Error(err)
			}
			if got, want := digest(t, registrytest.BaseImage(t, o)), digest(t, img); got != want {
				t.Errorf("the same options made %s and %s", want, got)
			}
			o.Seed = 1
			if digest(t, registrytest.BaseImage(t, o)) == digest(t, img) {
				t.Error("another seed made the same image")
			}
			s := registrytest.Start(t, registrytest.Options{})
			ref := s.Push(t, "r:v1", img)
			if n := len(s.Requests()); n != 0 {
				t.Errorf("Push left %d requests", n)
			}
			pulled, err := remote.Image(ref)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Image(pulled); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBaseImageConfig(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{
		Layers: 3, Env: []string{"MODEL=/assets/old.py"}, Labels: map[string]string{"mine": "yes"}, Platform: "linux/arm64/v8",
	})
	f, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	want := v1.Config{
		Entrypoint: []string{"/engine"}, User: "1000", WorkingDir: "/fastscore", ExposedPorts: map[string]struct{}{"8003/tcp": {}},
		Env:        []string{"PATH=/usr/local/bin:/usr/bin:/bin", "ENGINE_HOME=/fastscore", "MODEL=/assets/old.py"},
		StopSignal: "SIGTERM", Healthcheck: &v1.HealthConfig{Test: []string{"CMD", "/engine", "-check"}, Interval: 30e9},
		Labels: map[string]string{
			"maintainer": "Engine <engine@example.com>", "mine": "yes",
			"org.opencontainers.image.licenses": "Apache-2.0 & others", "org.opencontainers.image.version": "1.10",
		},
	}
	if diff := cmp.Diff(want, f.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
	if f.Variant != "v8" || len(f.History) != 4 || len(f.RootFS.DiffIDs) != 3 {
		t.Errorf("variant %q, %d entries of history, %d layers", f.Variant, len(f.History), len(f.RootFS.DiffIDs))
	}
	raw, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	for _, extra := range []string{`"x-engine-build":9007199254740993`, `"X-Engine-Limits"`, `"<pfa>"`} {
		if !strings.Contains(string(raw), extra) || strings.Contains(string(again), extra) {
			t.Errorf("%s is not a field that only the raw config has", extra)
		}
	}
}

func TestBaseImageFiles(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{Files: map[string]string{"/assets/old.py": "print 1\n"}})
	content := mutate.Extract(img)
	defer content.Close()
	var names []string
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
	}
	slices.Sort(names)
	want := []string{
		"assets/old.py", "engine", "fastscore", "fastscore/lib", "fastscore/lib/part-0", "fastscore/lib/part-1", "fastscore/log", "tmp",
	}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestBaseIndex(t *testing.T) {
	platforms := []string{"linux/amd64", registrytest.Attestation, "linux/arm64/v8"}
	index := registrytest.BaseIndex(t, platforms...)
	s := registrytest.Start(t, registrytest.Options{})
	desc, err := remote.Get(s.Push(t, "r:v1", index))
	if err != nil {
		t.Fatal(err)
	}
	pulled, err := desc.ImageIndex()
	if err != nil {
		t.Fatal(err)
	}
	m, err := pulled.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range m.Manifests {
		got = append(got, d.Platform.String())
		if len(d.Annotations) == 0 {
			t.Errorf("%s has no annotations", d.Platform)
		}
	}
	if diff := cmp.Diff(platforms, got); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if got, want := m.Manifests[1].Annotations["vnd.docker.reference.digest"], m.Manifests[0].Digest.String(); got != want {
		t.Errorf("the attestation is about %s, want %s", got, want)
	}
	if diff := cmp.Diff(map[string]string{"com.example.engine.channel": "stable"}, m.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
	for _, i := range []int{0, 2} {
		img, err := pulled.Image(m.Manifests[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := validate.Image(img); err != nil {
			t.Error(err)
		}
	}
	if got, want := digest(t, registrytest.BaseIndex(t, platforms...)), desc.Digest; got != want {
		t.Errorf("the same platforms made %s and %s", want, got)
	}

	docker := registrytest.BaseIndexOf(t, registrytest.ImageOptions{Docker: true}, "linux/amd64", "linux/arm64")
	if err := validate.Index(docker); err != nil {
		t.Error(err)
	}
	if mt, err := docker.MediaType(); err != nil || mt != types.DockerManifestList {
		t.Errorf("media type %s, %v", mt, err)
	}
}
