// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/klauspost/compress/zstd"
)

// archive is a tar of the members.
func archive(t *testing.T, members ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, hdr := range members {
		hdr.Mode = 0o644
		content := hdr.Name + strings.Repeat("!", 600)
		if hdr.Typeflag == tar.TypeReg {
			hdr.Size = int64(len(content))
		}
		if err := w.WriteHeader(&hdr); err != nil {
			t.Fatal(err)
		}
		if hdr.Typeflag == tar.TypeReg {
			must(io.WriteString(w, content))(t)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func openTar(t *testing.T, raw []byte) (*layout.TarFS, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	if err := os.WriteFile(file, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	return layout.OpenTar(file)
}

func TestTarFS(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name} }
	symlink := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	hard := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: to}
	}
	long := strings.Repeat("long/", 60) + "name"
	for _, test := range []struct {
		name    string
		members []tar.Header
		want    map[string]string // file: the member whose content it has
	}{
		{"files", []tar.Header{file("a"), file("b/c"), file("d")}, map[string]string{"a": "a", "b/c": "b/c", "d": "d"}},
		{"unclean names", []tar.Header{file("./a"), file("b//c")}, map[string]string{"a": "./a", "b/c": "b//c"}},
		{"long name", []tar.Header{file(long), file("a")}, map[string]string{long: long, "a": "a"}},
		{"directory", []tar.Header{{Typeflag: tar.TypeDir, Name: "b/"}, file("b/c")}, map[string]string{"b/c": "b/c"}},
		{"symlink", []tar.Header{file("one/layer.tar"), symlink("two/layer.tar", "../one/layer.tar")}, map[string]string{"one/layer.tar": "one/layer.tar", "two/layer.tar": "one/layer.tar"}},
		{"symlink to a later file", []tar.Header{symlink("a", "b"), file("b")}, map[string]string{"a": "b", "b": "b"}},
		{"hard link", []tar.Header{file("one/layer.tar"), hard("two/layer.tar", "one/layer.tar")}, map[string]string{"one/layer.tar": "one/layer.tar", "two/layer.tar": "one/layer.tar"}},
		{"links to links", []tar.Header{symlink("a", "b"), symlink("b", "c/d"), hard("c/d", "e"), file("e"), symlink("f", "a")}, map[string]string{"a": "e", "b": "e", "c/d": "e", "e": "e", "f": "e"}},
		{"links in a circle", []tar.Header{symlink("a", "b"), symlink("b", "c"), symlink("c", "a"), symlink("d", "d"), file("e")}, map[string]string{"e": "e"}},
		{"links out and to nothing", []tar.Header{symlink("a", "../../etc/passwd"), symlink("b", "/etc/passwd"), hard("c", "none"), file("e")}, map[string]string{"e": "e"}},
		{"link in place of a file", []tar.Header{file("a"), file("b"), symlink("a", "b")}, map[string]string{"a": "b", "b": "b"}},
		{"dead link in place of a file", []tar.Header{file("a"), symlink("a", "none")}, map[string]string{}},
		{"file in place of a link", []tar.Header{file("b"), symlink("a", "b"), file("a")}, map[string]string{"a": "a", "b": "b"}},
		{"other things", []tar.Header{{Typeflag: tar.TypeFifo, Name: "a"}, {Typeflag: tar.TypeChar, Name: "b"}}, map[string]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys := must(openTar(t, archive(t, test.members...)))(t)
			defer fsys.Close()
			for _, hdr := range test.members {
				name := strings.ReplaceAll(strings.TrimPrefix(hdr.Name, "./"), "//", "/")
				member, ok := test.want[name]
				if !ok {
					if _, err := fsys.Open(name); !errors.Is(err, fs.ErrNotExist) {
						t.Errorf("%s: %v", name, err)
					}
					continue
				}
				want := member + strings.Repeat("!", 600)
				if got := must(fs.ReadFile(fsys, name))(t); string(got) != want {
					t.Errorf("%s has the content of %.20s", name, got)
				}
				info := must(fs.Stat(fsys, name))(t)
				if info.Size() != int64(len(want)) || info.IsDir() || !info.Mode().IsRegular() || info.Name() != filepath.Base(name) {
					t.Errorf("%s: %v", name, fs.FormatFileInfo(info))
				}
				f := must(fsys.Open(name))(t)
				if err := iotest.TestReader(f, []byte(want)); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				if err := f.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

func TestOpenTarRefuses(t *testing.T) {
	good := archive(t, tar.Header{Typeflag: tar.TypeReg, Name: "a"}, tar.Header{Typeflag: tar.TypeReg, Name: "b"})
	var gz bytes.Buffer
	zw := gzip.NewWriter(&gz)
	must(zw.Write(good))(t)
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	zs := must(zstd.NewWriter(nil))(t)
	for _, test := range []struct {
		name string
		raw  []byte
		want string
	}{
		{"gzip", gz.Bytes(), "the archive is compressed; decompress it first"},
		{"zstd", zs.EncodeAll(good, nil), "the archive is compressed; decompress it first"},
		{"text", []byte(strings.Repeat("This is no archive.\n", 100)), "not a tar archive"},
		{"short text", []byte("no"), "not a tar archive"},
		{"nothing", nil, "not a tar archive"},
		{"half a header", good[:300], "unexpected EOF"},
		{"end amid the first content", good[:800], "unexpected EOF"},
		{"end amid the last content", good[:2000], "unexpected EOF"},
		{"end amid the second header", good[:1700], "unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			fsys, err := openTar(t, test.raw)
			if err == nil {
				fsys.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "image.tar") {
				t.Errorf("got %q, want %q", err, test.want)
			}
		})
	}
	if _, err := layout.OpenTar(filepath.Join(t.TempDir(), "none.tar")); !errors.Is(err, layout.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	if _, err := layout.OpenTar(t.TempDir()); err == nil {
		t.Error("a directory was opened")
	}
}
