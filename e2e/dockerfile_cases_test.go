// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var dockerfiles = []dockerfile{
	{name: "scorer", dir: scorer, check: true},
	{name: "directories", prepare: func(t testing.TB, dir string) {
		mkdir(t, dir, "conf/empty", "conf/nested/empty/inner", "more/empty")
		chmod(t, dir, 0o700, "conf", "conf/empty", "conf/nested", "data with spaces")
		chmod(t, dir, os.ModeSetgid|0o775, "more/nested")
		chmod(t, dir, os.ModeSticky|0o777, "more/empty")
	}},
	{name: "wildcards"},
	{name: "renames"},
	{name: "owners", args: []string{"--build-arg", "OWNER=1002"}, prepare: func(t testing.TB, dir string) {
		chown(t, dir, 1234, "model.py3", "tree", "tree/sub", "tree/sub/leaf")
	}},
	{name: "modes", prepare: func(t testing.TB, dir string) {
		chmod(t, dir, 0o750, "run", "tree/sub")
		chmod(t, dir, 0o400, "secret")
		chmod(t, dir, os.ModeSetuid|0o755, "tree/top")
	}},
	{name: "ignored"},
	{name: "own-ignore"},
	{name: "archives", prepare: archives},
	{name: "expansion", args: []string{"--build-arg", "GIVEN=given value"}},
	{name: "workdir"},
	{name: "labels"},
	{name: "config"},
	{name: "entrypoint"},
	{name: "command"},
	{name: "shell"},
	{name: "names", prepare: func(t testing.TB, dir string) {
		long := strings.Repeat("n", 200)
		mkdir(t, dir, long+"/"+long, "links/dir")
		for _, name := range []string{long + "/" + long + "/" + long, "links/dir/leaf", "links/file", "new\nline"} {
			write(t, dir, name, []byte(name))
		}
		link(t, os.Symlink, "file", filepath.Join(dir, "links/to-file"))
		link(t, os.Symlink, "dir", filepath.Join(dir, "links/to-dir"))
		link(t, os.Symlink, "/etc/passwd", filepath.Join(dir, "links/absolute"))
		link(t, os.Symlink, "../../../../nowhere", filepath.Join(dir, "links/to-nothing"))
		link(t, os.Symlink, long+"/"+long+"/"+long, filepath.Join(dir, "long-link"))
	}},
	{name: "base"},
	{name: "whiteouts"},
	{name: "syntax"},
	{name: "order", prepare: func(t testing.TB, dir string) {
		chmod(t, dir, 0o700, "a/sub")
		chmod(t, dir, 0o705, "b/sub")
		write(t, dir, "c.tar.gz", zipped(t, archive(t, []tar.Header{
			{Typeflag: tar.TypeDir, Name: "sub", Mode: 0o711}, {Name: "two", Mode: 0o600}, {Name: "sub/three", Mode: 0o600},
			{Typeflag: tar.TypeDir, Name: "archived/dir", Mode: 0o710}, {Name: "archived/dir/two", Mode: 0o600},
		})))
	}},
}

// archives makes the archives of the case of that name.
func archives(t testing.TB, dir string) {
	long := strings.Repeat("l", 120)
	weights := archive(t, []tar.Header{
		{Typeflag: tar.TypeDir, Name: "./", Mode: 0o700},
		{Typeflag: tar.TypeDir, Name: "empty", Mode: 0o1777},
		{Typeflag: tar.TypeDir, Name: "layers", Mode: 0o750},
		{Name: "layers/one", Mode: 0o640},
		{Typeflag: tar.TypeLink, Name: "layers/hard", Linkname: "layers/one", Mode: 0o640},
		{Typeflag: tar.TypeSymlink, Name: "layers/soft", Linkname: "../run", Mode: 0o777},
		{Typeflag: tar.TypeSymlink, Name: "absolute", Linkname: "/etc/passwd", Mode: 0o777},
		{Name: "run", Mode: 0o4755},
		{Name: "größe/東京", Mode: 0o604},
		{Name: long + "/" + long + "/" + long, Mode: 0o644},
		{Name: "./dotted", Mode: 0o644},
	})
	write(t, dir, "weights.tar.gz", zipped(t, weights))
	plain := archive(t, []tar.Header{{Name: "one", Mode: 0o644}, {Typeflag: tar.TypeDir, Name: "layers", Mode: 0o705}, {Name: "layers/two", Mode: 0o644}})
	write(t, dir, "plain.tar", plain)
	write(t, dir, "named-as-text.txt", zipped(t, plain))
	write(t, dir, "empty.tar.gz", zipped(t, archive(t, nil)))
}

func zipped(t testing.TB, plain []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func write(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, content, 0o644); err != nil {
		t.Fatal(err)
	}
	chmod(t, dir, 0o644, name) // whatever the umask is
}

func mkdir(t testing.TB, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func chmod(t testing.TB, dir string, mode os.FileMode, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

func chown(t testing.TB, dir string, owner int, names ...string) {
	t.Helper()
	for _, name := range names {
		if err := os.Lchown(filepath.Join(dir, name), owner, owner); err != nil {
			t.Fatal(err)
		}
	}
}

func link(t testing.TB, make func(from, to string) error, from, to string) {
	t.Helper()
	if err := make(from, to); err != nil {
		t.Fatal(err)
	}
}
