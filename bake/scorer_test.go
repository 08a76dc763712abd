// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// scorerFiles is what most tests bake.
func scorerFiles() fstest.MapFS {
	return fstest.MapFS{
		"model.py3": {Data: []byte(`# fastscore.schema.0: input
# fastscore.schema.1: output

def action(x):
    yield 2 * x["n"]
`)},
		"input.avsc":  {Data: []byte(`{"type": "record", "name": "In", "fields": [{"name": "n", "type": "double"}]}`)},
		"output.avsc": {Data: []byte(`{"type": "double"}`)},
		"rest.json":   {Data: []byte(`{"Version": "1.2", "Transport": {"Type": "REST"}, "Encoding": "json"}`)},
		"kafka.json": {Data: []byte(`{
	"Version": "1.2",
	"Transport": {"Type": "Kafka", "BootstrapServers": ["kafka:9092"], "Topic": "scores"},
	"Encoding": "json",
	"Envelope": null
}`)},
	}
}

// scorer is a bake of scorerFiles on base.
func scorer(base string, tags ...string) bake.Spec {
	return bake.Spec{
		FS:      scorerFiles(),
		Base:    base,
		Tags:    tags,
		Model:   "model.py3",
		Schemas: map[string]string{"input": "input.avsc", "output": "output.avsc"},
		Streams: map[int]string{0: "rest.json", 1: "kafka.json"},
	}
}

// random is n bytes that do not compress, the same for each seed.
func random(n int, seed byte) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b) // never fails
	return b
}

// doBake bakes spec, which must succeed, whatever the check says of its files.
func doBake(t testing.TB, spec bake.Spec) *bake.Report {
	t.Helper()
	report, err := bake.Bake(t.Context(), spec, nil, bake.Options{NoCheck: true})
	if err != nil {
		t.Fatalf("baking: %v", err)
	}
	return report
}

// newPlan plans spec, which must succeed.
func newPlan(t testing.TB, spec bake.Spec) *bake.Plan {
	t.Helper()
	plan, err := bake.NewPlan(t.Context(), spec)
	if err != nil {
		t.Fatalf("planning: %v", err)
	}
	return plan
}

// reference is REGISTRY/REPO:TAG or REGISTRY/REPO@DIGEST.
func reference(t testing.TB, s string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(s)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// pullAny is an image that may have layers that are elsewhere.
func pullAny(t testing.TB, ref string) (v1.Image, error) {
	t.Helper()
	return remote.Image(reference(t, ref), remote.WithContext(t.Context()))
}

// pullImage reads and validates the image at ref.
func pullImage(t testing.TB, ref string) v1.Image {
	t.Helper()
	img, err := pullAny(t, ref)
	if err != nil {
		t.Fatalf("pulling %s: %v", ref, err)
	}
	validImage(t, img)
	return img
}

// pullIndex reads and validates the index at ref.
func pullIndex(t testing.TB, ref string) v1.ImageIndex {
	t.Helper()
	index, err := remote.Index(reference(t, ref), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatalf("pulling %s: %v", ref, err)
	}
	validIndex(t, index)
	return index
}

func validImage(t testing.TB, img v1.Image) {
	t.Helper()
	var opts []validate.Option
	if !allGzip(t, img) {
		opts = append(opts, validate.Fast) // else it takes every layer for gzip
		validLayers(t, img)
	}
	if err := validate.Image(img, opts...); err != nil {
		t.Errorf("the image is not valid: %v", err)
	}
}

func validIndex(t testing.TB, index v1.ImageIndex) {
	t.Helper()
	var opts []validate.Option
	for _, d := range must[*v1.IndexManifest](t)(index.IndexManifest()).Manifests {
		if img := must[v1.Image](t)(index.Image(d.Digest)); !allGzip(t, img) {
			opts = append(opts, validate.Fast)
			validLayers(t, img)
		}
	}
	if err := validate.Index(index, opts...); err != nil {
		t.Errorf("the index is not valid: %v", err)
	}
}

func allGzip(t testing.TB, img v1.Image) bool {
	t.Helper()
	return !slices.ContainsFunc(manifestOf(t, img).Layers, func(d v1.Descriptor) bool {
		return d.MediaType != types.OCILayer && d.MediaType != types.DockerLayer
	})
}

// validLayers compares layers of any compression with the manifest and config.
func validLayers(t testing.TB, img v1.Image) {
	t.Helper()
	m, diffIDs := manifestOf(t, img), configOf(t, img).RootFS.DiffIDs
	layers := must[[]v1.Layer](t)(img.Layers())
	if len(m.Layers) != len(diffIDs) || len(layers) != len(diffIDs) {
		t.Fatalf("%d layers, %d in the manifest, %d in the config", len(layers), len(m.Layers), len(diffIDs))
	}
	for i, l := range layers {
		digest, size, err := v1.SHA256(must[io.ReadCloser](t)(l.Compressed()))
		if err != nil || digest != m.Layers[i].Digest || size != m.Layers[i].Size {
			t.Errorf("layer %d is %s of %d bytes (%v), want %s of %d", i, digest, size, err, m.Layers[i].Digest, m.Layers[i].Size)
		}
		diffID, _, err := v1.SHA256(must[io.ReadCloser](t)(l.Uncompressed()))
		if err != nil || diffID != diffIDs[i] {
			t.Errorf("layer %d has the diffID %s (%v), want %s", i, diffID, err, diffIDs[i])
		}
	}
}

// digestAt is the digest that a tag has; the zero hash where there is none.
func digestAt(t testing.TB, ref string) v1.Hash {
	t.Helper()
	desc, err := remote.Head(reference(t, ref), remote.WithContext(t.Context()))
	if isStatus(err, 404) {
		return v1.Hash{}
	}
	if err != nil {
		t.Fatalf("looking for %s: %v", ref, err)
	}
	return desc.Digest
}

// must is for the getters of values that are in memory.
func must[T any](t testing.TB) func(v T, err error) T {
	t.Helper()
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func manifestOf(t testing.TB, img v1.Image) *v1.Manifest {
	t.Helper()
	return must[*v1.Manifest](t)(img.Manifest())
}

func configOf(t testing.TB, img v1.Image) *v1.ConfigFile {
	t.Helper()
	return must[*v1.ConfigFile](t)(img.ConfigFile())
}

func digestOf(t testing.TB, img partial.WithRawManifest) v1.Hash {
	t.Helper()
	return must[v1.Hash](t)(partial.Digest(img))
}

// recordOf decodes the record of an image.
func recordOf(t testing.TB, img v1.Image) bake.Record {
	t.Helper()
	label := configOf(t, img).Config.Labels[bake.RecordLabel]
	dec := json.NewDecoder(bytes.NewReader([]byte(label)))
	dec.DisallowUnknownFields()
	var r bake.Record
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("record %q: %v", label, err)
	}
	return r
}

// An editedImage is an image with a manifest and a config of its own.
type editedImage struct {
	v1.Image
	config, manifest []byte
}

func (e editedImage) RawConfigFile() ([]byte, error) { return e.config, nil }
func (e editedImage) RawManifest() ([]byte, error)   { return e.manifest, nil }

func (e editedImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	return e.Image.LayerByDigest(h)
}

// edit changes the config and the manifest of an image as JSON.
func edit(t testing.TB, img v1.Image, change func(config, manifest map[string]any)) v1.Image {
	t.Helper()
	config := decodeObject(t, must[[]byte](t)(img.RawConfigFile()))
	manifest := decodeObject(t, must[[]byte](t)(img.RawManifest()))
	change(config, manifest)
	e := editedImage{Image: img, config: must[[]byte](t)(json.Marshal(config))}
	digest, size, err := v1.SHA256(bytes.NewReader(e.config))
	if err != nil {
		t.Fatal(err)
	}
	manifest["config"].(map[string]any)["digest"] = digest.String()
	manifest["config"].(map[string]any)["size"] = size
	e.manifest = must[[]byte](t)(json.Marshal(manifest))
	return must[v1.Image](t)(partial.CompressedToImage(e))
}

func decodeObject(t testing.TB, raw []byte) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v map[string]any
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// startWith runs a registry that holds img as team/base:1.
func startWith(t testing.TB, opts registrytest.Options, img remote.Taggable) *registrytest.Server {
	t.Helper()
	srv := registrytest.Start(t, opts)
	srv.Push(t, "team/base:1", img)
	return srv
}

// mediaTypes is the media types of an image: manifest, config, layers.
func mediaTypes(t testing.TB, img v1.Image) []types.MediaType {
	t.Helper()
	m := manifestOf(t, img)
	all := []types.MediaType{m.MediaType, m.Config.MediaType}
	for _, l := range m.Layers {
		all = append(all, l.MediaType)
	}
	return all
}
