// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"archive/tar"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// writeLayout writes an OCI image layout the way that other tools do.
func writeLayout(t testing.TB, dir string, img v1.Image, tag string) {
	t.Helper()
	path, err := layout.Write(dir, empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	err = path.AppendImage(img,
		layout.WithPlatform(v1.Platform{OS: "linux", Architecture: "amd64"}),
		layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": tag, "com.example": "x"}))
	if err != nil {
		t.Fatal(err)
	}
}

// tarDir packs a directory as oci-archive has it.
func tarDir(t testing.TB, dir, file string) {
	t.Helper()
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(f)
	if err := w.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// untarDir unpacks an oci-archive.
func untarDir(t testing.TB, file, dir string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := tar.NewReader(f)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, h.Name)
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, data, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
}

// imageInLayout reads the image that tag names, with go-containerregistry.
func imageInLayout(t testing.TB, dir, tag string) v1.Image {
	t.Helper()
	index, err := layout.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range m.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == tag {
			img, err := index.Image(d.Digest)
			if err != nil {
				t.Fatal(err)
			}
			validImage(t, img)
			return img
		}
	}
	t.Fatalf("no tag %q among %v", tag, m.Manifests)
	return nil
}

// written reads what was baked to a location of a file, with
// go-containerregistry as the judge.
func written(t testing.TB, location string) v1.Image {
	t.Helper()
	transport, rest, _ := strings.Cut(location, ":")
	file, tag, _ := strings.Cut(rest, ":")
	switch transport {
	case "oci":
		return imageInLayout(t, file, tag)
	case "oci-archive":
		dir := t.TempDir()
		untarDir(t, file, dir)
		return imageInLayout(t, dir, tag)
	case "docker-archive":
		ref, err := name.NewTag(tag)
		if err != nil {
			t.Fatal(err)
		}
		img, err := tarball.ImageFromPath(file, &ref)
		if err != nil {
			t.Fatal(err)
		}
		validImage(t, img)
		return img
	}
	return pullImage(t, location)
}

// bases puts one image into every kind of place.
func bases(t *testing.T, docker bool) (img v1.Image, locations map[string]string) {
	img = registrytest.BaseImage(t, registrytest.ImageOptions{Docker: docker, Layers: 3})
	dir := t.TempDir()
	srv := startWith(t, registrytest.Options{}, img)
	writeLayout(t, filepath.Join(dir, "layout"), img, "base")
	tarDir(t, filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"))
	tag, err := name.NewTag("example.com/engine:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(dir, "docker.tar"), tag, img); err != nil {
		t.Fatal(err)
	}
	return img, map[string]string{
		"registry":               srv.Host + "/team/base:1",
		"oci":                    "oci:" + filepath.Join(dir, "layout") + ":base",
		"oci without tag":        "oci:" + filepath.Join(dir, "layout"),
		"oci-archive":            "oci-archive:" + filepath.Join(dir, "oci.tar") + ":base",
		"docker-archive":         "docker-archive:" + filepath.Join(dir, "docker.tar") + ":example.com/engine:1",
		"docker-archive, no tag": "docker-archive:" + filepath.Join(dir, "docker.tar"),
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	for _, docker := range []bool{false, true} {
		base, locations := bases(t, docker)
		to := registrytest.Start(t, registrytest.Options{})
		for from, location := range locations {
			t.Run(map[bool]string{true: "docker ", false: "oci "}[docker]+from, func(t *testing.T) {
				dir := t.TempDir()
				tags := []string{
					to.Host + "/team/scorer:v1",
					"oci:" + filepath.Join(dir, "new", "layout") + ":v1",
					"oci-archive:" + filepath.Join(dir, "oci.tar") + ":v1",
					"docker-archive:" + filepath.Join(dir, "docker.tar") + ":example.com/scorer:v1",
				}
				report := doBake(t, scorer(location, tags...))
				first := pullImage(t, tags[0])
				if got := digestOf(t, first); got != report.Digest {
					t.Errorf("digest %s, the report says %s", got, report.Digest)
				}
				for _, tag := range tags[1:] {
					compareImages(t, first, written(t, tag), strings.HasPrefix(tag, "docker-archive"))
				}
				index := must[v1.ImageIndex](t)(layout.ImageIndexFromPath(filepath.Join(dir, "new", "layout")))
				want := []v1.Descriptor{{
					MediaType: report.MediaType, Digest: report.Digest, Size: report.Size,
					Annotations: map[string]string{"org.opencontainers.image.ref.name": "v1"},
				}}
				if diff := cmp.Diff(want, indexManifest(t, index).Manifests); diff != "" {
					t.Errorf("index.json (-want +got):\n%s", diff)
				}
				// A base in a file has no name, and no name of a file is told.
				name, wantName := recordOf(t, first).Base.Name, ""
				if from == "registry" {
					wantName = location
				}
				if name != wantName {
					t.Errorf("the record's base is %q, want %q", name, wantName)
				}
				if got := recordOf(t, first).Base.Digest; got != digestOf(t, base) && !strings.HasPrefix(from, "docker-archive") {
					t.Errorf("the record's base is %s, want %s", got, digestOf(t, base))
				}
			})
		}
	}
}

// compareImages wants the same digest, or of a docker-archive, which keeps no
// manifest for go-containerregistry, the same config and layers.
func compareImages(t *testing.T, want, got v1.Image, configOnly bool) {
	t.Helper()
	if !configOnly {
		if w, g := digestOf(t, want), digestOf(t, got); w != g {
			t.Errorf("digest %s, want %s", g, w)
		}
		return
	}
	if diff := cmp.Diff(string(must[[]byte](t)(want.RawConfigFile())), string(must[[]byte](t)(got.RawConfigFile()))); diff != "" {
		t.Errorf("config:\n%s", diff)
	}
	var w, g []v1.Hash
	for _, l := range manifestOf(t, want).Layers {
		w = append(w, l.Digest)
	}
	for _, l := range manifestOf(t, got).Layers {
		g = append(g, l.Digest)
	}
	if diff := cmp.Diff(w, g); diff != "" {
		t.Errorf("layers:\n%s", diff)
	}
}

// A docker-archive that this package wrote is an OCI layout as well, so no
// manifest is lost.
func TestArchiveAsBase(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	archive := filepath.Join(t.TempDir(), "docker.tar")
	report := doBake(t, scorer(srv.Host+"/team/base:1", "docker-archive:"+archive+":example.com/scorer:v1"))
	base, err := bake.Open(t.Context(), "oci-archive:"+archive+":v1", nil)
	if err == nil {
		defer base.Close()
	}
	if err != nil || base.Descriptor().Digest != report.Digest {
		t.Errorf("as a layout: %v, %v", base, err)
	}
}

// One layout keeps images under several names, and a name that moves.
func TestLayoutKeepsOthers(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	srv := startWith(t, registrytest.Options{}, img)
	dir := filepath.Join(t.TempDir(), "layout")
	writeLayout(t, dir, img, "base")
	base := srv.Host + "/team/base:1"
	first := doBake(t, scorer(base, "oci:"+dir+":v1", "oci:"+dir+":latest"))
	spec := scorer(base, "oci:"+dir+":latest")
	spec.Labels = map[string]string{"n": "2"}
	second := doBake(t, spec)
	for tag, want := range map[string]v1.Hash{"base": digestOf(t, img), "v1": first.Digest, "latest": second.Digest} {
		if got := digestOf(t, imageInLayout(t, dir, tag)); got != want {
			t.Errorf("%s is %s, want %s", tag, got, want)
		}
	}
	if first.Digest == second.Digest {
		t.Error("both bakes are the same")
	}
}

func TestFilesNotFound(t *testing.T) {
	dir := t.TempDir()
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	writeLayout(t, filepath.Join(dir, "layout"), img, "base")
	tarDir(t, filepath.Join(dir, "layout"), filepath.Join(dir, "oci.tar"))
	tag, err := name.NewTag("example.com/engine:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := tarball.WriteToFile(filepath.Join(dir, "docker.tar"), tag, img); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, base, says string }{
		{"layout", "oci:" + dir + "/none:base", "no such file"},
		{"tag in a layout", "oci:" + dir + "/layout:other", `"base"`},
		{"archive", "oci-archive:" + dir + "/none.tar", "no such file"},
		{"tag in an archive", "oci-archive:" + dir + "/oci.tar:other", `"base"`},
		{"docker-archive", "docker-archive:" + dir + "/none.tar", "no such file"},
		{"name in a docker-archive", "docker-archive:" + dir + "/docker.tar:example.com/other:1", "example.com/engine:1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "out")
			_, err := bake.Bake(t.Context(), scorer(tc.base, "oci:"+out), nil, bake.Options{NoCheck: true})
			if !errors.Is(err, bake.ErrNotFound) || !strings.Contains(err.Error(), tc.says) || !strings.HasPrefix(err.Error(), "base "+tc.base) {
				t.Errorf("got %v, want not found and %s", err, tc.says)
			}
			if _, err := os.Stat(out); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the destination: %v", err)
			}
		})
	}
}
