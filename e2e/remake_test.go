// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// A bake of three platforms moves to another engine, which has another Env,
// another number of layers and Docker's media types, and then to another
// stream. Each time it is valid and runs.
func TestRebaseAndRebindRun(t *testing.T) {
	needNamespaces(t)
	host := startRegistry(t)
	push(t, host+"/engine:v1", engineIndex(t, registrytest.ImageOptions{Layers: 3, Env: []string{"LOG_LEVEL=info"}}))
	push(t, host+"/engine:v2", engineIndex(t, registrytest.ImageOptions{
		Layers: 5, Seed: 2, Docker: true, Env: []string{"CONNECT_PREFIX=https://elsewhere:8001", "STREAMS=0:/nowhere.json"},
	}))
	bakeScorer(t, host+"/engine:v1", host+"/scorer:v1")
	run(t, craneBake, "rebase", host+"/scorer:v1", "--base", host+"/engine:v2", "-t", host+"/scorer:v2")
	before, after := fromRegistry(t, host+"/scorer:v1"), fromRegistry(t, host+"/scorer:v2")
	after.validate(t)
	if mediaType, err := after.index.MediaType(); err != nil || mediaType != types.DockerManifestList {
		t.Errorf("media type %s, %v", mediaType, err)
	}
	engine := fromRegistry(t, host+"/engine:v2")
	for i, was := range children(t, before.index) {
		want := slices.Concat(layersOf(t, children(t, engine.index)[i]), layersOf(t, was)[3:])
		if diff := cmp.Diff(want, layersOf(t, children(t, after.index)[i])); diff != "" {
			t.Errorf("layers of image %d (-want +got):\n%s", i, diff)
		}
	}
	if diff := cmp.Diff(asJSON(t, engineReport(t)), runImage(t, host+"/scorer:v2")); diff != "" {
		t.Errorf("rebased, the engine's report (-want +got):\n%s", diff)
	}

	const stream = `{"Version": "1.2", "Transport": {"Type": "Kafka", "BootstrapServers": ["prod:9092"], "Topic": "scores"}, "Encoding": "json", "Envelope": null}`
	file := filepath.Join(t.TempDir(), "kafka-prod.json")
	if err := os.WriteFile(file, []byte(stream), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, craneBake, "rebind", host+"/scorer:v2", "--stream", "1="+file, "-t", host+"/scorer:v3")
	fromRegistry(t, host+"/scorer:v3").validate(t)
	want := engineReport(t)
	bound := want["streams"].([]any)[1].(map[string]any)["file"].(map[string]any)
	bound["path"], bound["size"] = "/assets/kafka-prod.json", len(stream)
	bound["sha256"] = fmt.Sprintf("%x", sha256.Sum256([]byte(stream)))
	if diff := cmp.Diff(asJSON(t, want), runImage(t, host+"/scorer:v3")); diff != "" {
		t.Errorf("rebound, the engine's report (-want +got):\n%s", diff)
	}
}

// engineIndex is an index of stand-in engines for three platforms, of which the
// first can run.
func engineIndex(t testing.TB, o registrytest.ImageOptions) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, p := range []string{"linux/amd64", "linux/arm64/v8", "linux/s390x"} {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			t.Fatal(err)
		}
		o.Platform = p
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: engineImage(t, o), Descriptor: v1.Descriptor{Platform: platform}})
	}
	if o.Docker {
		index = mutate.IndexMediaType(index, types.DockerManifestList)
	}
	return index
}

func children(t testing.TB, index v1.ImageIndex) []v1.Image {
	t.Helper()
	manifest, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var images []v1.Image
	for _, desc := range manifest.Manifests {
		img, err := index.Image(desc.Digest)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, img)
	}
	return images
}

func layersOf(t testing.TB, img v1.Image) []v1.Hash {
	t.Helper()
	manifest, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var digests []v1.Hash
	for _, l := range manifest.Layers {
		digests = append(digests, l.Digest)
	}
	return digests
}

// budget is what a verb may move of an image of any size, in bytes.
const budget = 64 << 10

// A look at a large image and changes to it move kilobytes.
func TestLargeImageCostsKilobytes(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{Options: regserver.Options{Dir: t.TempDir()}})
	var layers []v1.Layer
	for seed := range byte(3) {
		layers = append(layers, newLargeLayer(t, seed, 100<<20))
	}
	srv.Push(t, "team/engine:v1", appended(t, registrytest.BaseImage(t, registrytest.ImageOptions{}), layers...))
	slices.Reverse(layers)
	srv.Push(t, "team/engine:v2", appended(t, registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 2}), layers...))

	dir := copyScorer(t, t.TempDir())
	model, err := os.OpenFile(filepath.Join(dir, "model.py3"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(model, rand.NewChaCha8([32]byte{9}), 100<<20); err != nil {
		t.Fatal(err)
	}
	if err := model.Close(); err != nil {
		t.Fatal(err)
	}
	scorer := srv.Host + "/team/scorer:v1"
	run(t, craneBake, "build", "-q", "--no-check", "-f", filepath.Join(dir, "bake.yaml"), "-b", srv.Host+"/team/engine:v1", "-t", scorer)
	total := int64(0)
	layers, err = fromRegistry(t, scorer).image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range layers {
		size, err := l.Size()
		if err != nil {
			t.Fatal(err)
		}
		total += size
	}
	if total < 400<<20 {
		t.Fatalf("the image has %d bytes: too small to tell anything", total)
	}
	for _, args := range [][]string{
		{"inspect", scorer},
		{"inspect", scorer, "--format", "json"},
		{"inspect", scorer, "--format", "mermaid"},
		{"rebind", scorer, "--stream", "0=" + filepath.Join(dir, "kafka.json"), "--no-check", "-t", srv.Host + "/team/scorer:v2"},
		{"rebase", scorer, "--base", srv.Host + "/team/engine:v2", "-t", srv.Host + "/team/scorer:v3"},
		{"rebase", scorer, "--base", srv.Host + "/team/engine:v2", "-t", srv.Host + "/other/scorer:v3"},
	} {
		srv.Reset()
		run(t, craneBake, args...)
		if up, down := srv.UploadedBytes(), srv.DownloadedBytes(); up+down >= budget || down == 0 {
			t.Errorf("%s: moved %d bytes up and %d down, want less than %d", args, up, down, budget)
		}
	}
}

func appended(t testing.TB, img v1.Image, layers ...v1.Layer) v1.Image {
	t.Helper()
	img, err := mutate.AppendLayers(img, layers...)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// A largeLayer is a tar of one file of random bytes, made whenever it is read.
type largeLayer struct {
	seed   byte
	file   int64 // bytes, whole tar blocks
	head   []byte
	digest v1.Hash
}

func newLargeLayer(t testing.TB, seed byte, file int64) *largeLayer {
	t.Helper()
	var head bytes.Buffer
	w := tar.NewWriter(&head)
	if err := w.WriteHeader(&tar.Header{Name: fmt.Sprintf("fastscore/lib/large-%d", seed), Mode: 0o644, Size: file}); err != nil {
		t.Fatal(err)
	}
	l := &largeLayer{seed: seed, file: file, head: head.Bytes()}
	r, err := l.Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if l.digest, _, err = v1.SHA256(r); err != nil {
		t.Fatal(err)
	}
	return l
}

// endOfTar is two blocks of zeros (POSIX pax).
const endOfTar = 1024

func (l *largeLayer) Compressed() (io.ReadCloser, error) {
	content := io.LimitReader(rand.NewChaCha8([32]byte{l.seed}), l.file)
	return io.NopCloser(io.MultiReader(bytes.NewReader(l.head), content, bytes.NewReader(make([]byte, endOfTar)))), nil
}

func (l *largeLayer) Uncompressed() (io.ReadCloser, error) { return l.Compressed() }
func (l *largeLayer) Digest() (v1.Hash, error)             { return l.digest, nil }
func (l *largeLayer) DiffID() (v1.Hash, error)             { return l.digest, nil }
func (l *largeLayer) Size() (int64, error)                 { return int64(len(l.head)) + l.file + endOfTar, nil }

func (l *largeLayer) MediaType() (types.MediaType, error) { return types.OCIUncompressedLayer, nil }
