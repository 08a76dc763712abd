// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

func TestFind(t *testing.T) {
	const top = `{"schemaVersion":2,"manifests":[`
	entry := func(digit, tag string) string {
		annotations := ""
		if tag != "" {
			annotations = `,"annotations":{"org.opencontainers.image.ref.name":"` + tag + `"}`
		}
		return `{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":7,"digest":"sha256:` + strings.Repeat(digit, 64) + `"` + annotations + `}`
	}
	for _, test := range []struct {
		name, tag string
		index     string
		digit     string // of the digest that is found
		err       string
		missing   bool
	}{
		{"the only one", "", top + entry("1", "v1") + "]}", "1", "", false},
		{"the only one, without a tag", "", top + entry("1", "") + "]}", "1", "", false},
		{"tag", "v2", top + entry("1", "v1") + "," + entry("2", "v2") + "]}", "2", "", false},
		{"digest", "sha256:" + strings.Repeat("2", 64), top + entry("1", "v1") + "," + entry("2", "") + "]}", "2", "", false},
		{"several without tag", "", top + entry("1", "v1") + "," + entry("2", "v2") + "," + entry("3", "") + "]}", "", `the layout holds 3 images; name one of "v1", "v2", ""`, false},
		{"no such tag", "v3", top + entry("1", "v1") + "," + entry("2", "v2") + "]}", "", `tag "v3": file does not exist: the layout holds "v1", "v2"`, true},
		{"no such tag of the only one", "v3", top + entry("1", "v1") + "]}", "", `tag "v3"`, true},
		{"no such digest", "sha256:" + strings.Repeat("3", 64), top + entry("1", "v1") + "]}", "", `the layout holds "v1"`, true},
		{"none", "", top + "]}", "", "the layout holds no image", true},
		{"broken", "", "{", "", "reading index.json", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := fstest.MapFS{"oci-layout": {Data: []byte("{}")}, "index.json": {Data: []byte(test.index)}}
			got, err := layout.Find(fsys, test.tag)
			if test.err == "" {
				if err != nil || got.Digest.Hex != strings.Repeat(test.digit, 64) || got.Size != 7 {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.err) || errors.Is(err, layout.ErrNotFound) != test.missing {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
	for _, missing := range []fstest.MapFS{{}, {"index.json": {Data: []byte(top + "]}")}}, {"oci-layout": {}}} {
		_, err := layout.Find(missing, "")
		if err == nil || !strings.Contains(err.Error(), "not an OCI image layout") {
			t.Errorf("got %v, want that it is no layout", err)
		}
	}
}

// Both forms of a layout are read the same way.
func TestBlob(t *testing.T) {
	for name, create := range writers {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w := must(create(dir))(t)
			img := image(t, 1)
			commit(t, w, store(t, w, img), "example.com/app:v1")
			fsys, closer := read(t, dir)
			defer closer.Close()
			top := must(layout.Find(fsys, ""))(t)
			if diff := cmp.Diff(must(img.Digest())(t), top.Digest); diff != "" {
				t.Fatalf("digest (-want +got):\n%s", diff)
			}
			rc := must(layout.Blob(fsys, top.Digest))(t)
			defer rc.Close()
			if diff := cmp.Diff(string(must(img.RawManifest())(t)), string(must(io.ReadAll(rc))(t))); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
			none := v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}
			if _, err := layout.Blob(fsys, none); !errors.Is(err, layout.ErrNotFound) || !strings.Contains(err.Error(), none.Hex) {
				t.Errorf("got %v, want ErrNotFound", err)
			}
		})
	}
}

// read opens the layout that one of the writers left.
func read(t *testing.T, dir string) (fs.FS, io.Closer) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, "image")); err == nil {
		fsys, closer, err := layout.OpenDir(filepath.Join(dir, "image"))
		if err != nil {
			t.Fatal(err)
		}
		return fsys, closer
	}
	fsys := must(layout.OpenTar(filepath.Join(dir, "image.tar")))(t)
	return fsys, fsys
}

// A directory is not left, wherever its links lead.
func TestOpenDir(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "image")
	err := errors.Join(os.Mkdir(root, 0o777), os.WriteFile(filepath.Join(dir, "outside"), nil, 0o666), os.WriteFile(filepath.Join(root, "inside"), nil, 0o666))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Symlink("../outside", filepath.Join(root, "out")), os.Symlink("inside", filepath.Join(root, "in"))); err != nil {
		t.Skip(err)
	}
	fsys, closer, err := layout.OpenDir(root)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	if _, err := fs.ReadFile(fsys, "in"); err != nil {
		t.Error(err)
	}
	if _, err := fs.ReadFile(fsys, "out"); err == nil {
		t.Error("a link led out")
	}
	if _, _, err := layout.OpenDir(filepath.Join(dir, "none")); !errors.Is(err, layout.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
}
