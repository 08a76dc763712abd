// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// build is Open and Build, which must succeed.
func build(t testing.TB, plan *bake.Plan, ref string, platforms ...v1.Platform) *bake.Image {
	t.Helper()
	base, err := bake.Open(t.Context(), ref, nil, platforms...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := base.Close(); err != nil {
			t.Error(err)
		}
	})
	img, err := bake.Build(base, plan)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// The steps, and go-containerregistry with what they return, come to the same
// digest as Bake.
func TestSteps(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		docker bool
		change func(*bake.Spec)
	}{
		{name: "oci"},
		{name: "docker", docker: true},
		{name: "docker, none", docker: true, change: func(s *bake.Spec) { s.Compression.Algorithm = bake.None }},
		{name: "zstd", change: func(s *bake.Spec) { s.Compression.Algorithm = bake.Zstd }},
		{name: "several layers", change: func(s *bake.Spec) {
			s.Layers = bake.LayersClass
			s.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: random(2<<20, 1)}
		}},
		{name: "one platform", change: func(s *bake.Spec) { s.Base, s.Platforms = "index", []string{"linux/arm64"} }},
		{name: "index", change: func(s *bake.Spec) { s.Base = "index" }},
		{name: "docker index", docker: true, change: func(s *bake.Spec) { s.Base = "index" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o := registrytest.ImageOptions{Docker: tc.docker}
			srv := registrytest.Start(t, registrytest.Options{})
			srv.Push(t, "team/base:image", registrytest.BaseImage(t, o))
			srv.Push(t, "team/base:index", registrytest.BaseIndexOf(t, o, "linux/amd64", "linux/arm64"))
			spec := scorer("image", srv.Host+"/team/scorer:bake")
			if tc.change != nil {
				tc.change(&spec)
			}
			spec.Base = srv.Host + "/team/base:" + spec.Base
			want := doBake(t, spec)

			// Open reads every platform: which are built is the plan's to say.
			img := build(t, newPlan(t, spec), spec.Base)
			report, err := bake.Publish(t.Context(), img, nil, bake.PublishOptions{}, srv.Host+"/team/steps:1")
			if err != nil {
				t.Fatal(err)
			}
			if report.Digest != want.Digest {
				t.Errorf("Publish has the digest %s, Bake %s", report.Digest, want.Digest)
			}
			// Digests are known before anything is published, too.
			checkV1(t, build(t, newPlan(t, spec), spec.Base), srv.Host+"/team/remote:1", want)
		})
	}
}

// checkV1 pushes img with go-containerregistry.
func checkV1(t *testing.T, img *bake.Image, ref string, want *bake.Report) {
	t.Helper()
	if img.IsIndex() != want.MediaType.IsIndex() {
		t.Errorf("IsIndex is %v, the media type is %s", img.IsIndex(), want.MediaType)
	}
	if img.IsIndex() {
		if _, err := img.V1Image(t.Context()); !errors.Is(err, bake.ErrUsage) {
			t.Errorf("Image of an index: %v", err)
		}
		index, err := img.V1Index(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		validIndex(t, index)
		if _, err := index.Image(v1.Hash{}); !errors.Is(err, bake.ErrNotFound) {
			t.Errorf("an image that is not there: %v", err)
		}
		if err := remote.WriteIndex(reference(t, ref), index); err != nil {
			t.Fatal(err)
		}
		pullIndex(t, ref)
	} else {
		if _, err := img.V1Index(t.Context()); !errors.Is(err, bake.ErrUsage) {
			t.Errorf("Index of an image: %v", err)
		}
		one, err := img.V1Image(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		validImage(t, one)
		var types []types.MediaType
		for _, l := range must[[]v1.Layer](t)(one.Layers()) {
			types = append(types, must[typesOfLayer](t)(l.MediaType()))
		}
		if diff := cmp.Diff(mediaTypes(t, one)[2:], types); diff != "" {
			t.Errorf("media types of the layers (-manifest +layer):\n%s", diff)
		}
		if _, err := one.LayerByDigest(v1.Hash{}); !errors.Is(err, bake.ErrNotFound) {
			t.Errorf("a layer that is not there: %v", err)
		}
		if err := remote.Write(reference(t, ref), one); err != nil {
			t.Fatal(err)
		}
		pullImage(t, ref)
	}
	if got := digestAt(t, ref); got != want.Digest {
		t.Errorf("go-containerregistry wrote %s, Bake %s", got, want.Digest)
	}
}

type typesOfLayer = types.MediaType

func TestOpen(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", registrytest.Attestation, "linux/arm64/v8"))
	base, err := bake.Open(t.Context(), srv.Host+"/team/base:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer base.Close()
	if got := base.Name(); got != srv.Host+"/team/base:1" {
		t.Errorf("name %q", got)
	}
	if got, want := base.Descriptor().Digest, digestAt(t, srv.Host+"/team/base:1"); got != want {
		t.Errorf("digest %s, want %s", got, want)
	}
	want := []v1.Platform{{OS: "linux", Architecture: "amd64"}, {OS: "linux", Architecture: "arm64", Variant: "v8"}}
	if diff := cmp.Diff(want, base.Platforms()); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	if got := base.Notes(); len(got) != 1 {
		t.Errorf("notes %q", got)
	}
}

func TestOpenFails(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	for _, tc := range []struct {
		name, ref string
		is        error
	}{
		{"no tag", srv.Host + "/team/base:none", bake.ErrNotFound},
		{"no repository", srv.Host + "/none:1", bake.ErrNotFound},
		{"no registry", "127.0.0.1:1/team/base:1", bake.ErrUnavailable},
		{"no reference", "a b", bake.ErrUsage},
	} {
		t.Run(tc.name, func(t *testing.T) {
			remote := bake.NewRemote(bake.RemoteOptions{Retries: -1})
			if _, err := bake.Open(t.Context(), tc.ref, remote); !errors.Is(err, tc.is) {
				t.Errorf("got %v, want %v", err, tc.is)
			}
		})
	}
}
