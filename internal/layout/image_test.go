// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// image is a base image; another seed makes another.
func image(t testing.TB, seed uint64) v1.Image {
	t.Helper()
	return registrytest.BaseImage(t, registrytest.ImageOptions{Seed: seed, Layers: 3, LayerSize: 3000})
}

// put stores b and checks what Put says of it.
func put(t testing.TB, w layout.Writer, b []byte) {
	t.Helper()
	got := must(w.Put(t.Context(), bytes.NewReader(b), "sha256"))(t)
	digest, size, err := v1.SHA256(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(v1.Descriptor{Digest: digest, Size: size}, got); diff != "" {
		t.Errorf("descriptor (-want +got):\n%s", diff)
	}
	if held, err := w.Has(t.Context(), got); !held || err != nil {
		t.Errorf("%s is not there: %v", digest, err)
	}
}

// store puts the blobs of img, its manifest included.
func store(t testing.TB, w layout.Writer, img v1.Image) layout.Image {
	t.Helper()
	manifest := must(img.Manifest())(t)
	for _, l := range must(img.Layers())(t) {
		put(t, w, must(io.ReadAll(must(l.Compressed())(t)))(t))
	}
	put(t, w, must(img.RawConfigFile())(t))
	put(t, w, must(img.RawManifest())(t))
	return layout.Image{
		Top:       *must(partial.Descriptor(img))(t),
		Manifests: []layout.Manifest{{Config: manifest.Config, Layers: manifest.Layers}},
	}
}

// storeIndex puts an index with all its images.
func storeIndex(t testing.TB, w layout.Writer, index v1.ImageIndex) layout.Image {
	t.Helper()
	all := layout.Image{Top: *must(partial.Descriptor(index))(t)}
	for _, d := range must(index.IndexManifest())(t).Manifests {
		all.Manifests = append(all.Manifests, store(t, w, must(index.Image(d.Digest))(t)).Manifests...)
	}
	put(t, w, must(index.RawManifest())(t))
	return all
}

func commit(t testing.TB, w layout.Writer, img layout.Image, tags ...string) {
	t.Helper()
	if err := w.Commit(t.Context(), img, tags); err != nil {
		t.Fatal(err)
	}
	w.Abort() // does nothing any more
}

// tree is every file below dir with its content, and every directory.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			all[rel+"/"] = ""
			return nil
		}
		b, err := os.ReadFile(path)
		all[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// tags is what the index.json in fsys names, in its order.
func tags(t testing.TB, fsys fs.FS) []string {
	t.Helper()
	f := must(fsys.Open("index.json"))(t)
	defer f.Close()
	var all []string
	for _, d := range must(v1.ParseIndexManifest(f))(t).Manifests {
		all = append(all, d.Annotations["org.opencontainers.image.ref.name"]+" "+d.Digest.Hex[:8])
	}
	return all
}

func short(t testing.TB, img partial.Describable) string {
	return must(img.Digest())(t).Hex[:8]
}

// failing is a reader that breaks after some bytes.
func failing(n int) io.Reader {
	return io.MultiReader(strings.NewReader(strings.Repeat("x", n)), brokenReader{})
}

var errBroken = errors.New("broken")

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errBroken }

// writers makes one of each kind below dir.
var writers = map[string]func(dir string) (layout.Writer, error){
	"directory": func(dir string) (layout.Writer, error) {
		return layout.CreateDir(filepath.Join(dir, "image"), layout.NewChecks())
	},
	"archive": func(dir string) (layout.Writer, error) {
		return layout.CreateArchive(filepath.Join(dir, "image.tar"), false)
	},
	"docker archive": func(dir string) (layout.Writer, error) {
		return layout.CreateArchive(filepath.Join(dir, "image.tar"), true)
	},
}
