// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// tarOfTree is a tar of headers; a file's content is its name.
func tarOfTree(t *testing.T, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		var content string
		if h.Typeflag == tar.TypeReg {
			content = h.Name
			h.Size = int64(len(content))
		}
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
	return b.Bytes()
}

// noSeek is a file system whose files can only be read from the start.
type noSeek struct{ fs.FS }

func (n noSeek) Open(name string) (fs.File, error) {
	f, err := n.FS.Open(name)
	return struct{ fs.File }{f}, err
}

// A tree's entries are sorted, have what the tar says of them, and open at any
// time and in any order.
func TestTreeOfATar(t *testing.T) {
	long := strings.Repeat("l", 200)
	content := tarOfTree(t,
		tar.Header{Name: "z", Typeflag: tar.TypeReg, Mode: 0o4750, Uid: 1, Gid: 2},
		tar.Header{Name: "a/b/", Typeflag: tar.TypeDir, Mode: 0o1777, Uid: 3},
		tar.Header{Name: "./a/" + long, Typeflag: tar.TypeReg, Mode: 0o600},
		tar.Header{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/etc", Mode: 0o777},
	)
	want := []string{
		"opt/a 53 drwxr-xr-x 0:0  ",
		"opt/a/b 53 dtrwxrwxrwx 3:0  ",
		"opt/a/" + long + " 48 -rw------- 0:0  ./a/" + long,
		"opt/link 50 Lrwxrwxrwx 0:0 /etc ",
		"opt/z 48 urwxr-x--- 1:2  z",
	}
	for name, fsys := range map[string]fs.FS{
		"seeks":     fstest.MapFS{"t.tar": {Data: content}},
		"reads on":  noSeek{fstest.MapFS{"t.tar": {Data: content}}},
		"on a disk": onDisk(t, content),
	} {
		t.Run(name, func(t *testing.T) {
			entries, err := layer.Tree(t.Context(), fsys, "t.tar", "opt")
			if err != nil {
				t.Fatal(err)
			}
			got := make([]string, len(entries))
			for i := len(entries) - 1; i >= 0; i-- {
				e := entries[i]
				var text []byte
				if e.Open != nil {
					rc, err := e.Open()
					if err != nil {
						t.Fatal(err)
					}
					text, err = io.ReadAll(rc)
					if err = errors.Join(err, rc.Close()); err != nil {
						t.Fatal(err)
					}
				}
				mode := e.Mode
				switch e.Type {
				case tar.TypeDir:
					mode |= fs.ModeDir
				case tar.TypeSymlink:
					mode |= fs.ModeSymlink
				}
				got[i] = fmt.Sprintf("%s %d %v %d:%d %s %s", e.Name, e.Type, mode, e.UID, e.GID, e.Linkname, text)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func onDisk(t *testing.T, content []byte) fs.FS {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "t.tar"), content, 0o666); err != nil {
		t.Fatal(err)
	}
	return os.DirFS(dir)
}

func TestTreeRefuses(t *testing.T) {
	file := tar.Header{Name: "a", Typeflag: tar.TypeReg}
	whole := tarOfTree(t, file)
	for _, tc := range []struct {
		name    string
		content []byte
		says    string
	}{
		{"a hard link", tarOfTree(t, file, tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}), `member "b": is a hard link`},
		{"a file twice", tarOfTree(t, file, file), "occurs twice"},
		{"a name that leads up", tarOfTree(t, tar.Header{Name: "../a", Typeflag: tar.TypeReg}), `".." in it`},
		{"a whiteout", tarOfTree(t, tar.Header{Name: ".wh.a", Typeflag: tar.TypeReg}), "would delete files"},
		{"a device", tarOfTree(t, tar.Header{Name: "a", Typeflag: tar.TypeChar}), "is a device"},
		{"a tar that is cut", whole[:700], "truncated"},
		{"what is compressed", []byte("\x1f\x8b\x08 and so on"), "the content is gzip data"},
		{"two tars", append(bytes.Clone(whole), whole...), "data behind the end"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := layer.Tree(t.Context(), fstest.MapFS{"t.tar": {Data: tc.content}}, "t.tar", "opt")
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want %q", err, tc.says)
			}
		})
	}
	if _, err := layer.Tree(t.Context(), fstest.MapFS{}, "t.tar", "opt"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: got %v", err)
	}
	if _, err := layer.Tree(t.Context(), fstest.MapFS{"t.tar/x": {}}, "t.tar", "opt"); err == nil {
		t.Error("a directory is listed")
	}
}

// A tar that has changed since it was listed ends the reading.
func TestTreeThatChanges(t *testing.T) {
	fsys := fstest.MapFS{"t.tar": {Data: tarOfTree(t, tar.Header{Name: "a", Typeflag: tar.TypeReg})}}
	entries, err := layer.Tree(t.Context(), fsys, "t.tar", "opt")
	if err != nil {
		t.Fatal(err)
	}
	fsys["t.tar"] = &fstest.MapFile{Data: append(fsys["t.tar"].Data, 0)}
	if _, err := entries[0].Open(); !errors.Is(err, layer.ErrChanged) {
		t.Errorf("got %v, want %v", err, layer.ErrChanged)
	}
}
