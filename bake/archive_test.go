// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// dockerSave writes images as "docker save" does: layers are plain tars.
func dockerSave(t testing.TB, file string, images map[string]v1.Image) {
	t.Helper()
	var manifest []map[string]any
	var pairs []string
	for tag, img := range images {
		config := must[[]byte](t)(img.RawConfigFile())
		entry := map[string]any{"Config": sha256Hex(config) + ".json", "RepoTags": []string{tag}}
		pairs = append(pairs, entry["Config"].(string), string(config))
		var names []string
		for i, l := range must[[]v1.Layer](t)(img.Layers()) {
			data := must[[]byte](t)(io.ReadAll(must[io.ReadCloser](t)(l.Uncompressed())))
			names = append(names, fmt.Sprintf("%s-%d/layer.tar", sha256Hex(config), i))
			pairs = append(pairs, names[i], string(data))
		}
		entry["Layers"] = names
		manifest = append(manifest, entry)
	}
	pairs = append(pairs, "manifest.json", string(must[[]byte](t)(json.Marshal(manifest))))
	if err := os.WriteFile(file, tarOf(t, pairs...), 0o666); err != nil {
		t.Fatal(err)
	}
}

// The layers of "docker save" are compressed as the bake's own are, and then
// are the same for every destination.
func TestDockerSave(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{Docker: true, Layers: 3, LayerSize: 100 << 10})
	other := registrytest.BaseImage(t, registrytest.ImageOptions{Docker: true, Seed: 5})
	archive := filepath.Join(t.TempDir(), "save.tar")
	dockerSave(t, archive, map[string]v1.Image{"fastscore/engine:1.10": img, "example.com/other:1": other})

	srv, dir := registrytest.Start(t, registrytest.Options{}), t.TempDir()
	tags := []string{srv.Host + "/team/scorer:1", "docker-archive:" + dir + "/docker.tar:scorer:1"}
	doBake(t, scorer("docker-archive:"+archive+":fastscore/engine:1.10", tags...))
	first := pullImage(t, tags[0])
	compareImages(t, first, written(t, tags[1]), true)
	was, is := configOf(t, img).RootFS.DiffIDs, configOf(t, first).RootFS.DiffIDs
	if diff := cmp.Diff(was, is[:len(was)]); diff != "" {
		t.Errorf("diffIDs of the base:\n%s", diff)
	}

	// Without a name, it must be said which of both is meant.
	_, err := bake.Open(t.Context(), "docker-archive:"+archive, nil)
	if err == nil || !strings.Contains(err.Error(), "fastscore/engine:1.10") || !strings.Contains(err.Error(), "example.com/other:1") {
		t.Errorf("got %v, want both names", err)
	}
}

func TestIndexToFiles(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", registrytest.Attestation, "linux/arm64/v8"))
	dir := t.TempDir()
	report := doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1", "oci:"+dir+"/layout:v1", "oci-archive:"+dir+"/oci.tar:v1"))
	untarDir(t, dir+"/oci.tar", dir+"/untarred")
	for _, path := range []string{dir + "/layout", dir + "/untarred"} {
		top, err := layout.ImageIndexFromPath(path)
		if err != nil {
			t.Fatal(err)
		}
		if m := indexManifest(t, top).Manifests; len(m) != 1 || m[0].Digest != report.Digest || !m[0].MediaType.IsIndex() {
			t.Errorf("%s: entries %v, want the index %s", path, m, report.Digest)
		}
		index, err := top.ImageIndex(report.Digest)
		if err != nil {
			t.Fatal(err)
		}
		validIndex(t, index)
	}
	// A layout is a base as a registry is. This one holds a bake, which the same
	// bake replaces.
	again := doBake(t, scorer("oci:"+dir+"/layout:v1", srv.Host+"/team/again:1", "oci:"+dir+"/again:v1"))
	if again.Base != report.Base || again.Digest != report.Digest {
		t.Errorf("%s on %v, want %s on %v", again.Digest, again.Base, report.Digest, report.Base)
	}
	pullIndex(t, srv.Host+"/team/again:1")
}

// Archives that are none, or hold nothing, are not read as bases.
func TestBrokenArchives(t *testing.T) {
	dir := t.TempDir()
	tag, err := name.NewTag("example.com/engine:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(dir+"/docker.tar", tag, registrytest.BaseImage(t, registrytest.ImageOptions{})); err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{
		"empty.tar": nil, "text.tar": []byte("text"), "nothing.tar": tarOf(t), "zipped.tar": gzipOf(t, tarOf(t, "a", "b")),
		"json.tar": tarOf(t, "manifest.json", "{"), "none.tar": tarOf(t, "manifest.json", "[]"),
		"missing.tar": tarOf(t, "manifest.json", `[{"Config":"x.json","Layers":["y.tar"]}]`),
	} {
		if err := os.WriteFile(filepath.Join(dir, file), data, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, ref := range []string{
		"docker-archive:DIR/empty.tar", "docker-archive:DIR/text.tar", "docker-archive:DIR/nothing.tar", "docker-archive:DIR/zipped.tar",
		"docker-archive:DIR/json.tar", "docker-archive:DIR/none.tar", "docker-archive:DIR/missing.tar",
		"oci-archive:DIR/empty.tar", "oci-archive:DIR/text.tar", "oci-archive:DIR/nothing.tar", "oci-archive:DIR/docker.tar", "oci:DIR",
	} {
		ref = strings.ReplaceAll(ref, "DIR", dir)
		base, err := bake.Open(t.Context(), ref, nil)
		if err == nil {
			err = errors.Join(errors.New("it was read"), base.Close())
		}
		if !strings.HasPrefix(err.Error(), "base "+ref) {
			t.Errorf("%s: %v", ref, err)
		}
	}
}
