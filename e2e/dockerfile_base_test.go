// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"io"
	"path"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// dockerfileBase is a base with directories of several owners and modes, with
// links, and with files that a layer of its own deletes.
func dockerfileBase(t testing.TB) v1.Image {
	t.Helper()
	dir := func(name string, mode int64, owner int) tar.Header {
		return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: mode, Uid: owner, Gid: owner}
	}
	file := func(name string) tar.Header { return tar.Header{Name: name, Mode: 0o644} }
	img := registrytest.BaseImage(t, registrytest.ImageOptions{
		Layers: 1,
		Env:    []string{"CONNECT_PREFIX=https://connect:8001"}, // or a bake adds it
		Files: map[string]string{
			"/etc/passwd": "root:x:0:0:root:/root:/bin/sh\n",
			"/etc/group":  "root:x:0:\n",
		},
	})
	for _, headers := range [][]tar.Header{
		{
			dir("tmp/", 0o1777, 0), dir("root/", 0o700, 0), dir("etc/", 0o755, 0), dir("usr/", 0o755, 0), dir("usr/lib/", 0o755, 0),
			dir("opt/", 0o755, 0), dir("opt/engine/", 0o750, 1000), file("opt/engine/kept"),
			dir("srv/", 0o755, 0), dir("srv/data/", 0o700, 1000), dir("srv/data/kept/", 0o770, 1000),
			file("replaced"), file("linked-one"),
			{Typeflag: tar.TypeLink, Name: "linked-two", Linkname: "linked-one"},
			dir("gone/", 0o711, 7), file("gone/file"), dir("gone-dir/", 0o711, 7), dir("gone-dir/again/", 0o711, 7), file("gone-dir/again/old"),
			dir("opaque/", 0o711, 7), file("opaque/old"), dir("was-dir/", 0o711, 7), file("was-dir/old"), file("was-file"),
		},
		{
			file("gone/.wh.file"), file(".wh.gone-dir"), dir("opaque/", 0o711, 7), file("opaque/.wh.old"),
			file(".wh.was-dir"), file(".wh.was-file"),
		},
	} {
		layer := tarLayer(t, headers)
		var err error
		if img, err = mutate.AppendLayers(img, layer); err != nil {
			t.Fatal(err)
		}
	}
	return img
}

// tarLayer is a layer of files whose content is their name.
func tarLayer(t testing.TB, headers []tar.Header) v1.Layer {
	t.Helper()
	plain := archive(t, headers)
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain)), nil }
	layer, err := tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// archive is a tar of files whose content is their name; whiteouts have none.
func archive(t testing.TB, headers []tar.Header) []byte {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range headers {
		content := h.Name
		if h.Typeflag != 0 || strings.HasPrefix(path.Base(h.Name), ".wh.") {
			content = ""
		}
		h.Size = int64(len(content))
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return plain.Bytes()
}
