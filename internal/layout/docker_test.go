// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// What a docker-archive holds, docker load reads, as go-containerregistry does.
func TestDockerArchiveRoundTrip(t *testing.T) {
	for _, docker := range []bool{true, false} {
		t.Run(fmt.Sprintf("docker %v", docker), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "image.tar")
			w := must(layout.CreateArchive(file, true))(t)
			img := registrytest.BaseImage(t, registrytest.ImageOptions{Docker: docker, Layers: 3})
			refs := []string{"registry.test:5000/team/app:v1", "registry.test:5000/team/app:latest"}
			commit(t, w, store(t, w, img), refs...)
			for _, ref := range refs {
				tag := must(name.NewTag(ref))(t)
				got := must(tarball.ImageFromPath(file, &tag))(t)
				if err := validate.Image(got); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(must(img.ConfigName())(t), must(got.ConfigName())(t)); diff != "" {
					t.Errorf("%s: config (-want +got):\n%s", ref, diff)
				}
			}
			var annotations []map[string]string
			index := must(must(ggcr.ImageIndexFromPath(unpackTo(t, file)))(t).IndexManifest())(t)
			for _, d := range index.Manifests {
				annotations = append(annotations, d.Annotations)
			}
			want := []map[string]string{
				{"io.containerd.image.name": refs[0], "org.opencontainers.image.ref.name": "v1"},
				{"io.containerd.image.name": refs[1], "org.opencontainers.image.ref.name": "latest"},
			}
			if diff := cmp.Diff(want, annotations); diff != "" {
				t.Errorf("annotations (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDockerArchiveWithoutTag(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	w := must(layout.CreateArchive(file, true))(t)
	img := image(t, 1)
	commit(t, w, store(t, w, img))
	if err := validate.Image(must(tarball.ImageFromPath(file, nil))(t)); err != nil {
		t.Error(err)
	}
	var images []layout.DockerImage
	if err := json.Unmarshal([]byte(unpack(t, file)["manifest.json"]), &images); err != nil {
		t.Fatal(err)
	}
	if len(images) != 1 || len(images[0].RepoTags) != 0 || len(images[0].Layers) != 3 {
		t.Errorf("manifest.json: %+v", images)
	}
}

// A docker-archive has no place for several platforms.
func TestDockerArchiveOfIndex(t *testing.T) {
	dir := t.TempDir()
	w := must(layout.CreateArchive(filepath.Join(dir, "image.tar"), true))(t)
	img := storeIndex(t, w, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	if err := w.Commit(t.Context(), img, []string{"app:v1"}); err == nil || !strings.Contains(err.Error(), "one platform") {
		t.Errorf("got %v", err)
	}
	w.Abort()
	if diff := cmp.Diff(map[string]string{"./": ""}, tree(t, dir)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
