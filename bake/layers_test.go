// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// everyRole is a bake with a file of every role.
func everyRole(t testing.TB, base string, tags ...string) (bake.Spec, fstest.MapFS) {
	t.Helper()
	files := scorerFiles()
	files["tables.tar"] = &fstest.MapFile{Data: tarOf(t, "t", "x")}
	files["weights.tar"] = &fstest.MapFile{Data: tarOf(t, "w", "x")}
	files["lookup.csv"] = &fstest.MapFile{Data: []byte("a,b")}
	spec := scorer(base, tags...)
	spec.FS = files
	spec.Attachments = []string{"tables.tar"}
	spec.Unpack = map[string]string{"weights.tar": ""}
	spec.Assets = []bake.Asset{{Path: "lookup.csv"}}
	return spec, files
}

// ownLayers is the layers of an image that the bake added, by class.
func ownLayers(t testing.TB, ref string) (classes []string, digests map[string]v1.Hash) {
	t.Helper()
	img := pullImage(t, ref)
	record := recordOf(t, img)
	layers := manifestOf(t, img).Layers[record.Base.Layers:]
	if len(layers) != len(record.Layers) {
		t.Fatalf("%d layers, the record has %q", len(layers), record.Layers)
	}
	digests = map[string]v1.Hash{}
	for i, class := range record.Layers {
		digests[class] = layers[i].Digest
	}
	return record.Layers, digests
}

func TestLayerModes(t *testing.T) {
	t.Parallel()
	const large = 1 << 20
	for _, tc := range []struct {
		name  string
		mode  bake.LayerMode
		sizes map[string]int // of files that are larger than the fixture's
		want  []string
	}{
		{name: "small", want: []string{"files"}},
		{name: "below the limit", sizes: map[string]int{"model.py3": large - 1, "lookup.csv": large - 1}, want: []string{"files"}},
		{name: "large model", sizes: map[string]int{"model.py3": large}, want: []string{"model", "files"}},
		{name: "large together", sizes: map[string]int{"input.avsc": large / 2, "output.avsc": large / 2}, want: []string{"schemas", "files"}},
		{
			name:  "large everything",
			sizes: map[string]int{"kafka.json": large, "output.avsc": large, "model.py3": large, "lookup.csv": large, "tables.tar": large},
			want:  []string{"attachments", "assets", "model", "schemas", "streams"},
		},
		{name: "class", mode: bake.LayersClass, want: []string{"attachments", "assets", "model", "schemas", "streams"}},
		{name: "single", mode: bake.LayersSingle, sizes: map[string]int{"model.py3": large}, want: []string{"files"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
			spec, files := everyRole(t, srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			for name, size := range tc.sizes {
				files[name] = &fstest.MapFile{Data: make([]byte, size)}
			}
			spec.Layers = tc.mode
			report := doBake(t, spec)
			classes, digests := ownLayers(t, srv.Host+"/team/scorer:1")
			if diff := cmp.Diff(tc.want, classes); diff != "" {
				t.Errorf("layers (-want +got):\n%s", diff)
			}
			for _, l := range report.Layers {
				if l.Digest != digests[l.Class] {
					t.Errorf("the report has layer %s %s, the image %s", l.Class, l.Digest, digests[l.Class])
				}
			}
		})
	}
}

// A change of what changes often leaves the layers of what does not alone.
func TestChangedStream(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		mode    bake.LayerMode
		changed []string
	}{
		{"auto", bake.LayersAuto, []string{"files"}},
		{"class", bake.LayersClass, []string{"streams"}},
		{"single", bake.LayersSingle, []string{"files"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
			spec, files := everyRole(t, srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			spec.Layers = tc.mode
			files["model.py3"] = &fstest.MapFile{Data: random(1<<20, 1)}
			doBake(t, spec)
			_, before := ownLayers(t, srv.Host+"/team/scorer:1")

			files["kafka.json"] = &fstest.MapFile{Data: []byte(`{"Transport":{"Type":"Kafka","Topic":"other"}}`)}
			srv.Reset()
			doBake(t, spec)
			if sent := srv.UploadedBlobBytes(); tc.mode != bake.LayersSingle && sent > 64<<10 {
				t.Errorf("%d bytes of blobs were sent again", sent)
			}
			_, after := ownLayers(t, srv.Host+"/team/scorer:1")
			var changed []string
			for class := range after {
				if before[class] != after[class] {
					changed = append(changed, class)
				}
			}
			if diff := cmp.Diff(tc.changed, changed); diff != "" {
				t.Errorf("changed layers (-want +got):\n%s", diff)
			}
			if len(before) != len(after) {
				t.Errorf("layers %v became %v", before, after)
			}
		})
	}
}
