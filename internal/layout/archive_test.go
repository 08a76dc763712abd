// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// unpack is the files in the tar by name, of which each is there once, below
// directories that come before them.
func unpack(t *testing.T, file string) map[string]string {
	t.Helper()
	all := map[string]string{}
	dirs := map[string]bool{"./": true}
	r := tar.NewReader(bytes.NewReader(must(os.ReadFile(file))(t)))
	for {
		hdr, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[hdr.Name]; twice {
			t.Errorf("%s is there twice", hdr.Name)
		}
		parent, _ := path.Split(strings.TrimSuffix(hdr.Name, "/"))
		if parent != "" && !dirs[parent] {
			t.Errorf("%s comes before its directory", hdr.Name)
		}
		if hdr.Typeflag == tar.TypeDir && hdr.Mode == 0o755 && hdr.Uid == 0 && hdr.Gid == 0 {
			dirs[hdr.Name] = true
			continue
		}
		if hdr.Typeflag != tar.TypeReg || hdr.Mode != 0o644 || hdr.Uid != 0 || hdr.Gid != 0 || !hdr.ModTime.Equal(time.Unix(0, 0)) {
			t.Errorf("header of %s: %+v", hdr.Name, hdr)
		}
		all[hdr.Name] = string(must(io.ReadAll(r))(t))
	}
}

// unpackTo writes the members below a new directory.
func unpackTo(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range unpack(t, file) {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(content), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// What an archive holds is an OCI image layout to go-containerregistry.
func TestArchiveRoundTrip(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	w := must(layout.CreateArchive(file, false))(t)
	index := registrytest.BaseIndex(t, "linux/amd64", "linux/arm64/v8")
	commit(t, w, storeIndex(t, w, index), "v1", "latest")

	dir := unpackTo(t, file)
	all := must(ggcr.ImageIndexFromPath(dir))(t)
	if err := validate.Index(all); err != nil {
		t.Error(err)
	}
	want := []string{"v1 " + short(t, index), "latest " + short(t, index)}
	if diff := cmp.Diff(want, tags(t, os.DirFS(dir))); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	fsys := must(layout.OpenTar(file))(t)
	defer fsys.Close()
	if diff := cmp.Diff(want, tags(t, fsys)); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	if _, err := fsys.Open("manifest.json"); !errors.Is(err, layout.ErrNotFound) {
		t.Errorf("manifest.json: %v", err)
	}
}

// The same blobs in the same order make the same archive, whatever else was
// tried in between.
func TestArchiveIsDeterministic(t *testing.T) {
	for _, docker := range []bool{false, true} {
		var first []byte
		for n := range 3 {
			file := filepath.Join(t.TempDir(), "image.tar")
			w := must(layout.CreateArchive(file, docker))(t)
			disturb := func() {
				if n == 0 {
					return
				}
				if _, err := w.Put(t.Context(), failing(n*100_000), "sha256"); !errors.Is(err, errBroken) {
					t.Errorf("got %v", err)
				}
			}
			disturb()
			put(t, w, []byte("odd"))
			disturb()
			img := store(t, w, image(t, 1))
			put(t, w, []byte("odd"))
			disturb()
			commit(t, w, img, "example.com/team/app:v1")
			got := must(os.ReadFile(file))(t)
			if first == nil {
				first = got
			}
			if !bytes.Equal(first, got) {
				t.Errorf("docker %v: archive %d differs, with %d bytes and %d", docker, n, len(got), len(first))
			}
		}
	}
}

// Members end in zeros up to the next block, and the archive with two blocks.
func TestArchivePadding(t *testing.T) {
	file := filepath.Join(t.TempDir(), "image.tar")
	w := must(layout.CreateArchive(file, false))(t)
	for _, size := range []int{0, 1, 511, 512, 513} {
		if _, err := w.Put(t.Context(), failing(5000), "sha256"); !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
		put(t, w, bytes.Repeat([]byte("x"), size))
	}
	commit(t, w, store(t, w, image(t, 1)), "v1")
	raw := must(os.ReadFile(file))(t)
	r := bytes.NewReader(raw)
	members := tar.NewReader(r)
	for {
		hdr, err := members.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		end := int(r.Size()) - r.Len() + int(hdr.Size)
		if rest := raw[end : (end+511)/512*512]; strings.Trim(string(rest), "\x00") != "" {
			t.Errorf("%s is padded with %q", hdr.Name, rest)
		}
	}
	if len(raw)%512 != 0 || strings.Trim(string(raw[len(raw)-1024:]), "\x00") != "" {
		t.Errorf("the archive of %d bytes ends in other things than two empty blocks", len(raw))
	}
}

func TestTarHeader(t *testing.T) {
	for _, kind := range []struct {
		digest v1.Hash
		length int
	}{
		{v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)}, 512},
		{v1.Hash{Algorithm: "sha512", Hex: strings.Repeat("0", 128)}, 3 * 512},
	} {
		name := "blobs/" + kind.digest.Algorithm + "/" + kind.digest.Hex
		for _, size := range []int64{0, 1, 1<<33 - 1, 1 << 33, 1<<40 + 1} {
			raw := must(layout.BlobHeader(v1.Descriptor{Digest: kind.digest, Size: size}))(t)
			if len(raw) != kind.length {
				t.Errorf("%s, size %d: %d bytes", name, size, len(raw))
			}
			hdr := must(tar.NewReader(bytes.NewReader(raw)).Next())(t)
			if hdr.Size != size || hdr.Name != name || hdr.Mode != 0o644 || hdr.Typeflag != tar.TypeReg {
				t.Errorf("size %d: %+v", size, hdr)
			}
		}
	}
	long := v1.Descriptor{Digest: v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 300)}}
	if _, err := layout.BlobHeader(long); err == nil {
		t.Error("a header of other blocks than were left room for was accepted")
	}
}

// An archive replaces the file of its name when it is complete, not before.
func TestArchiveReplaces(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "image.tar")
	if err := os.WriteFile(file, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	w := must(layout.CreateArchive(file, false))(t)
	store(t, w, image(t, 1))
	w.Abort()
	if diff := cmp.Diff(map[string]string{"./": "", "image.tar": "old"}, tree(t, dir)); diff != "" {
		t.Errorf("after Abort (-want +got):\n%s", diff)
	}
	w = must(layout.CreateArchive(file, false))(t)
	img := store(t, w, image(t, 1))
	if got := must(os.ReadFile(file))(t); string(got) != "old" {
		t.Error("replaced before Commit")
	}
	commit(t, w, img, "v1")
	if got := tree(t, dir); len(got) != 2 || got["image.tar"] == "old" {
		t.Errorf("after Commit: %d files", len(got))
	}
}

func TestArchiveFails(t *testing.T) {
	if _, err := layout.CreateArchive(filepath.Join(t.TempDir(), "none", "image.tar"), false); !errors.Is(err, layout.ErrNotFound) {
		t.Errorf("in no directory: %v", err)
	}
	dir := t.TempDir()
	if _, err := layout.CreateArchive(dir, false); err == nil {
		t.Error("in place of a directory")
	}
	w := must(layout.CreateArchive(filepath.Join(dir, "image.tar"), false))(t)
	img := store(t, w, image(t, 1))
	if err := os.MkdirAll(filepath.Join(dir, "image.tar", "in the way"), 0o777); err != nil {
		t.Fatal(err)
	}
	before := tree(t, filepath.Join(dir, "image.tar"))
	if err := w.Commit(t.Context(), img, nil); err == nil {
		t.Error("committed over a directory")
	}
	w.Abort()
	if got := tree(t, dir); len(got) != 1+len(before) {
		t.Errorf("left: %v", got)
	}
}

func TestArchiveOnFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip(err)
	}
	w := must(layout.CreateArchive(filepath.Join(t.TempDir(), "image.tar"), false))(t)
	if err := w.SetFile(full); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), strings.NewReader("x"), "sha256"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	x := v1.Descriptor{Size: 1, Digest: v1.Hash{Algorithm: "sha256", Hex: "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}}
	if held, err := w.Has(t.Context(), x); held || err != nil {
		t.Errorf("the blob is said to be there: %v, %v", held, err)
	}
	if err := w.Commit(t.Context(), layout.Image{}, nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	if err := full.Close(); err != nil {
		t.Error(err)
	}
}
