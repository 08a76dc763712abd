// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/layer"
)

func list(fsys fs.FS, file, dest string) ([]layer.Member, layer.Entries, error) {
	return layer.Archive(context.Background(), fsys, file, dest, layer.ArchiveOptions{})
}

func dir(name string) layer.Member {
	return layer.Member{Name: name, Type: tar.TypeDir, Mode: 0o755}
}

func TestArchive(t *testing.T) {
	reg := func(name string, mode fs.FileMode, size int64) layer.Member {
		return layer.Member{Name: name, Type: tar.TypeReg, Mode: mode, Size: size}
	}
	tests := []struct {
		name  string
		dest  string
		parts []part
		want  []layer.Member
	}{
		{"empty", "d", nil, nil},
		{
			"modes", "d",
			[]part{
				{"bin/", tar.TypeDir, 0o2700, ""}, {"bin/run", 0, 0o4711, "run"}, {"bin/data", 0, 0o666, ""},
			},
			[]layer.Member{dir("d/bin"), reg("d/bin/run", 0o755, 3), reg("d/bin/data", 0o644, 0)},
		},
		{
			"missing parents once", "x/y",
			[]part{{"b/c/f", 0, 0o644, "1"}, {"a/g", 0, 0o644, "22"}, {"b/h", 0, 0o644, ""}, {"b/", tar.TypeDir, 0o755, ""}, {"b/", tar.TypeDir, 0o700, ""}},
			[]layer.Member{dir("x/y/b"), dir("x/y/b/c"), reg("x/y/b/c/f", 0o644, 1), dir("x/y/a"), reg("x/y/a/g", 0o644, 2), reg("x/y/b/h", 0o644, 0)},
		},
		{
			"unclean names", "",
			[]part{{"./", tar.TypeDir, 0o755, ""}, {"./a/./f", 0, 0o644, "1"}, {"a//g", 0, 0o644, ""}},
			[]layer.Member{dir("a"), reg("a/f", 0o644, 1), reg("a/g", 0o644, 0)},
		},
		{
			"symbolic links", "d",
			[]part{
				{"a/b/f", 0, 0o644, "1"},
				{"a/b/up", tar.TypeSymlink, 0o777, "../../a/b/f"},
				{"root", tar.TypeSymlink, 0o777, "./a/b/"},
				{"a/nowhere", tar.TypeSymlink, 0o777, "later"},
			},
			[]layer.Member{
				dir("d/a"), dir("d/a/b"), reg("d/a/b/f", 0o644, 1),
				{Name: "d/a/b/up", Type: tar.TypeSymlink, Mode: 0o777, Linkname: "../../a/b/f"},
				{Name: "d/root", Type: tar.TypeSymlink, Mode: 0o777, Linkname: "./a/b/"},
				{Name: "d/a/nowhere", Type: tar.TypeSymlink, Mode: 0o777, Linkname: "later"},
			},
		},
		{
			"hard links and global headers", "d",
			[]part{
				{"pax_global_header", tar.TypeXGlobalHeader, 0, "0123abcd"},
				{"f", 0, 0o755, "1"},
				{"s/l", tar.TypeLink, 0o755, "./f"},
				{"m", tar.TypeLink, 0o644, "s/l"},
			},
			[]layer.Member{
				reg("d/f", 0o755, 1), dir("d/s"),
				{Name: "d/s/l", Type: tar.TypeLink, Mode: 0o755, Linkname: "d/f"},
				{Name: "d/m", Type: tar.TypeLink, Mode: 0o644, Linkname: "d/s/l"},
			},
		},
		{
			"long and foreign names", "d",
			[]part{{strings.Repeat("n", 150), 0, 0o644, "1"}, {"ü/é", 0, 0o644, "2"}},
			[]layer.Member{reg("d/"+strings.Repeat("n", 150), 0o644, 1), dir("d/ü"), reg("d/ü/é", 0o644, 1)},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for file, data := range archivesOf(t, tt.parts...) {
				got, entries, err := list(fstest.MapFS{file: {Data: data}}, file, tt.dest)
				if err != nil {
					t.Errorf("%s: %v", file, err)
					continue
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s: %s", file, diff)
				}
				checkContents(t, file, entries, tt.parts)
			}
		})
	}
}

// checkContents makes a layer of the entries and compares its files' contents,
// in order, with the bodies of the parts.
func checkContents(t *testing.T, file string, entries layer.Entries, parts []part) {
	t.Helper()
	var want, got []string
	for _, p := range parts {
		if p.typ == 0 {
			want = append(want, sum([]byte(p.body)))
		}
	}
	l := newLayer(t, entries, layer.Options{})
	for range 2 {
		r, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			t.Errorf("%s: %v", file, err)
		}
		if err := r.Close(); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	for _, f := range l.Files() {
		if f.Type == tar.TypeReg {
			got = append(got, f.SHA256)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: %s", file, diff)
	}
}

// All kinds of archive make the same layer of the same members.
func TestArchiveKindsAgree(t *testing.T) {
	parts := []part{
		{"d/", tar.TypeDir, 0o755, ""},
		{"d/big", 0, 0o644, string(words(6, 600_000))},
		{"d/s", tar.TypeSymlink, 0o777, "big"},
		{"noise", 0, 0o755, string(noise(100_000))},
	}
	digests := make(map[string][]string)
	for file, data := range archivesOf(t, parts...) {
		_, entries, err := list(fstest.MapFS{file: {Data: data}}, file, "x")
		if err != nil {
			t.Fatal(err)
		}
		d := digestOf(t, newLayer(t, entries, layer.Options{}))
		digests[d] = append(digests[d], file)
	}
	if len(digests) != 1 {
		t.Errorf("digests differ: %v", digests)
	}
}

func TestArchiveChanged(t *testing.T) {
	before := []part{{"f", 0, 0o644, "content"}, {"g", 0, 0o644, "more"}}
	for file, data := range archivesOf(t, before...) {
		other := archivesOf(t, before[:1]...)[file]
		more := archivesOf(t, append(before, part{"h", 0, 0o644, ""})...)[file]
		for name, now := range map[string]*fstest.MapFile{
			"other time":           {Data: data, ModTime: time.Unix(5, 0)},
			"fewer members":        {Data: other},
			"more members":         {Data: more},
			"cut":                  {Data: data[:len(data)-1]},
			"gone":                 nil,
			"same size, same time": {Data: bytes.Replace(bytes.Clone(data), []byte("g"), []byte("h"), -1)},
		} {
			fsys := fstest.MapFS{file: {Data: data}}
			_, entries, err := list(fsys, file, "x")
			if err != nil {
				t.Fatal(err)
			}
			fsys[file] = now
			if now == nil {
				delete(fsys, file)
			}
			if name == "same size, same time" && file != "a.tar" && file != "a.zip" {
				continue // would only damage the compressed data
			}
			err = newLayer(t, entries, layer.Options{}).Resolve(t.Context())
			if err == nil {
				t.Errorf("%s, %s: no error", file, name)
			} else if !errors.Is(err, layer.ErrChanged) && name != "same size, same time" {
				t.Errorf("%s, %s: %v, want %v", file, name, err, layer.ErrChanged)
			}
			if err != nil && !strings.Contains(err.Error(), file) {
				t.Errorf("%s, %s: %v does not name the file", file, name, err)
			}
		}
	}
}

// Leaving the range loop, and a new range after it.
func TestArchiveEntriesStop(t *testing.T) {
	for file, data := range archivesOf(t, part{"f", 0, 0o644, "1"}, part{"g", 0, 0o644, "2"}) {
		_, entries, err := list(fstest.MapFS{file: {Data: data}}, file, "x")
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			var got []string
			for e, err := range entries {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, e.Name)
				break
			}
			if diff := cmp.Diff([]string{"x/f"}, got); diff != "" {
				t.Errorf("%s: %s", file, diff)
			}
		}
	}
}

func TestArchiveCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	fsys := fstest.MapFS{"a.tar": {Data: tarOf(t, part{"f", 0, 0o644, "1"})}}
	_, _, err := layer.Archive(ctx, fsys, "a.tar", "x", layer.ArchiveOptions{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// streamOnly is a file system whose files are readers and no more.
type streamOnly struct{ fs.FS }

func (s streamOnly) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	return struct{ fs.File }{f}, err
}

func TestArchiveNeedsReaderAt(t *testing.T) {
	for file, data := range archivesOf(t, part{"f", 0, 0o644, "1"}) {
		_, _, err := list(streamOnly{fstest.MapFS{file: {Data: data}}}, file, "x")
		if file != "a.zip" {
			if err != nil {
				t.Errorf("%s: %v", file, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), "io.ReaderAt") {
			t.Errorf("%s: %v, want a word about io.ReaderAt", file, err)
		}
	}
}
