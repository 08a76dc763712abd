// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// kind is the media types of an image.
type kind struct{ index, manifest, config, layer, own types.MediaType }

var (
	docker = kind{types.DockerManifestList, types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer, types.DockerLayer}
	oci    = kind{types.OCIImageIndex, types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer, types.OCILayer}
)

// with is k where the bake's own layers are of another type.
func (k kind) with(own types.MediaType) kind {
	k.own = own
	return k
}

func TestMediaTypes(t *testing.T) {
	t.Parallel()
	annotated := map[string]string{"com.example": "x"}
	for _, tc := range []struct {
		name        string
		docker      bool
		compression bake.Algorithm
		annotations map[string]string
		layout      bool
		want        kind
	}{
		{name: "oci", want: oci},
		{name: "oci, zstd", compression: bake.Zstd, want: oci.with(types.OCILayerZStd)},
		{name: "oci, none", compression: bake.None, want: oci.with(types.OCIUncompressedLayer)},
		{name: "docker", docker: true, want: docker},
		{name: "docker, none", docker: true, compression: bake.None, want: docker.with(types.DockerUncompressedLayer)},
		{name: "docker, zstd", docker: true, compression: bake.Zstd, want: oci.with(types.OCILayerZStd)},
		{name: "docker, annotations", docker: true, annotations: annotated, want: oci},
		{name: "docker, annotations, none", docker: true, annotations: annotated, compression: bake.None, want: oci.with(types.OCIUncompressedLayer)},
		{name: "docker, a layout", docker: true, layout: true, want: oci},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{})
			o := registrytest.ImageOptions{Docker: tc.docker}
			srv.Push(t, "team/base:image", registrytest.BaseImage(t, o))
			srv.Push(t, "team/base:index", registrytest.BaseIndexOf(t, o, "linux/amd64", "linux/arm64"))
			for _, base := range []string{"image", "index"} {
				spec := scorer(srv.Host+"/team/base:"+base, srv.Host+"/team/scorer:"+base)
				spec.Compression.Algorithm, spec.Annotations = tc.compression, tc.annotations
				if tc.layout {
					spec.Tags = append(spec.Tags, "oci:"+t.TempDir())
				}
				report := doBake(t, spec)
				checkKind(t, srv.Host+"/team/scorer:"+base, report, tc.want, tc.annotations)
			}
		})
	}
}

func checkKind(t *testing.T, ref string, report *bake.Report, want kind, annotations map[string]string) {
	t.Helper()
	var images []v1.Image
	if report.MediaType.IsIndex() {
		index := pullIndex(t, ref)
		if got := must[types.MediaType](t)(index.MediaType()); got != want.index || report.MediaType != got {
			t.Errorf("the index is %s, the report says %s, want %s", got, report.MediaType, want.index)
		}
		m := indexManifest(t, index)
		for _, d := range m.Manifests {
			if d.MediaType != want.manifest {
				t.Errorf("an entry is %s, want %s", d.MediaType, want.manifest)
			}
			images = append(images, must[v1.Image](t)(index.Image(d.Digest)))
		}
		wantAnnotations(t, m.Annotations, annotations)
	} else {
		images = append(images, pullImage(t, ref))
	}
	for _, img := range images {
		wantTypes := []types.MediaType{want.manifest, want.config, want.layer, want.layer, want.own}
		if diff := cmp.Diff(wantTypes, mediaTypes(t, img)); diff != "" {
			t.Errorf("media types (-want +got):\n%s", diff)
		}
		wantAnnotations(t, manifestOf(t, img).Annotations, annotations)
	}
	if got := report.Layers[0].MediaType; got != want.own {
		t.Errorf("the report's layer is %s, want %s", got, want.own)
	}
}

func wantAnnotations(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k, v := range want {
		if got[k] != v {
			t.Errorf("annotation %s is %q, want %q", k, got[k], v)
		}
	}
}

// Layers that may not be distributed stay where their URLs point, and keep
// them when the image becomes an OCI image.
func TestForeignLayer(t *testing.T) {
	url := "https://example.com/layer"
	base := edit(t, registrytest.BaseImage(t, registrytest.ImageOptions{Docker: true, Layers: 3}), func(_, manifest map[string]any) {
		foreign := manifest["layers"].([]any)[0].(map[string]any)
		foreign["mediaType"] = string(types.DockerForeignLayer)
		foreign["urls"] = []string{url}
	})
	for _, tc := range []struct {
		compression bake.Algorithm
		want        types.MediaType
	}{{bake.Gzip, types.DockerForeignLayer}, {bake.Zstd, types.OCIRestrictedLayer}} {
		from := startWith(t, registrytest.Options{}, base)
		to := registrytest.Start(t, registrytest.Options{})
		spec := scorer(from.Host+"/team/base:1", to.Host+"/team/scorer:1")
		spec.Compression.Algorithm = tc.compression
		doBake(t, spec)
		img := must[v1.Image](t)(pullAny(t, to.Host+"/team/scorer:1"))
		got := manifestOf(t, img).Layers[0]
		if got.MediaType != tc.want || !slices.Equal(got.URLs, []string{url}) {
			t.Errorf("the layer is %s at %q, want %s", got.MediaType, got.URLs, tc.want)
		}
		if n := from.Count("GET", "/v2/team/base/blobs/"+got.Digest.String()); n != 0 {
			t.Errorf("the layer was read %d times", n)
		}
	}
}
