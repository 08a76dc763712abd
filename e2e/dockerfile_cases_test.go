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
	{
		name: "directories",
		prepare: func(t testing.TB, dir string) {
			mkdir(t, dir, "conf/empty", "conf/nested/empty/inner", "more/empty")
			chmod(t, dir, 0o700, "conf", "conf/empty", "conf/nested", "data with spaces")
			chmod(t, dir, os.ModeSetgid|0o775, "more/nested")
			chmod(t, dir, os.ModeSticky|0o777, "more/empty")
		},
		files: map[string]difference{
			"/assets/all/more/nested": {"drwxrwxr-x 0:0", "dgrwxrwxr-x 0:0", setuidStays},
			"/assets/merged/nested":   {"drwxrwxr-x 0:0", "dgrwxrwxr-x 0:0", setuidStays},
		},
	},
	{name: "wildcards"},
	{name: "renames"},
	{
		name: "owners",
		args: []string{"--build-arg", "OWNER=1002"},
		prepare: func(t testing.TB, dir string) {
			chown(t, dir, 1234, "model.py3", "tree", "tree/sub", "tree/sub/leaf")
		},
		files: map[string]difference{
			"/usr/lib/scorer": {"drwxr-xr-x 7:8", "drwxr-xr-x 0:0", "directories of the operating system do not change hands: the base may have had it"},
		},
	},
	{
		name: "modes",
		prepare: func(t testing.TB, dir string) {
			chmod(t, dir, 0o750, "run", "tree/sub")
			chmod(t, dir, 0o400, "secret")
			chmod(t, dir, os.ModeSetuid|0o755, "tree/top")
		},
		files: map[string]difference{
			"/assets/kept/top": {"-rwxr-xr-x 0:0 4 bytes f7de29", "urwxr-xr-x 0:0 4 bytes f7de29", setuidStays},
			"/assets/chmod/tree": {
				"drwxr-xr-x 0:0", "drwxr-x--- 0:0",
				"Docker gives --chmod to the directory that a tree is copied into, where it makes it (prepareTargetDir of fsutil, copy/copy.go)",
			},
		},
	},
	{name: "ignored"},
	{name: "own-ignore"},
	{
		name:    "archives",
		prepare: archives,
		files: map[string]difference{
			"/assets/weights":          {"drwx------ 0:0", "drwxr-xr-x 0:0", rootOfArchive},
			"/assets/together":         {"drwx------ 0:0", "drwxr-xr-x 0:0", rootOfArchive},
			"/assets/owned/one":        {"-rw-r--r-- 11:12 3 bytes 7692c3", "-rw-r--r-- 5:6 3 bytes 7692c3", ownerOfArchive},
			"/assets/owned/layers":     {"drwx---r-x 0:0", "drwx---r-x 5:6", ownerOfArchive},
			"/assets/owned/layers/two": {"-rw-r--r-- 0:0 10 bytes e52382", "-rw-r--r-- 5:6 10 bytes e52382", ownerOfArchive},
		},
	},
	{name: "expansion", args: []string{"--build-arg", "GIVEN=given value"}},
	{name: "workdir"},
	{
		name: "labels",
		config: map[string]difference{
			"author": {`"Risk Team \u003crisk@example.com\u003e"`, `"Engine \u003cengine@example.com\u003e"`, maintainer},
			"Labels org.opencontainers.image.authors": {"", `"Risk Team \u003crisk@example.com\u003e"`, maintainer},
		},
	},
	{
		name: "config",
		config: map[string]difference{
			"ExposedPorts 9000-9001/udp": {"{}", "", portRange},
			"ExposedPorts 9000/udp":      {"", "{}", portRange},
			"ExposedPorts 9001/udp":      {"", "{}", portRange},
		},
	},
	{
		name: "shell",
		config: map[string]difference{
			"Cmd": {
				`["/bin/sh","-c","/engine   | tee \"the log\""]`, `["/bin/bash","-eu","-c","/engine   | tee \"the log\""]`,
				"buildah heeds SHELL in images with Docker's media types alone; Docker in all (withShell of BuildKit, dockerfile2llb/convert.go)",
			},
		},
	},
	{name: "names", prepare: names, files: map[string]difference{
		"/assets/hard/one": {oneFile + " linked /assets/hard/one /assets/hard/two", oneFile, hardLinks},
		"/assets/hard/two": {oneFile + " linked /assets/hard/one /assets/hard/two", oneFile, hardLinks},
	}},
	{
		name: "base",
		files: map[string]difference{
			"/srv/data":      {"drwx------ 1000:1000", "drwxr-xr-x 0:0", unseen},
			"/srv/data/kept": {"drwxrwx--- 1000:1000", "drwxr-xr-x 0:0", unseen},
			"/opt/engine":    {"drwxr-x--- 1000:1000", "drwxr-xr-x 0:0", unseen},
			"/tmp": {
				"drwxr-xr-x 0:0", "dtrwxrwxrwx 0:0",
				"a directory that every engine has stays as it is, even where a tree that is copied over it says otherwise",
			},
		},
	},
	{
		name: "whiteouts",
		files: map[string]difference{
			"/gone":   {"drwx--x--x 7:7", "drwxr-xr-x 0:0", unseen},
			"/opaque": {"drwx--x--x 7:7", "drwxr-xr-x 0:0", unseen},
		},
	},
	{
		name: "syntax",
		config: map[string]difference{
			"Env B": {`"two` + "`" + `"`, `"two$three"`, "the escape character is that of the file in words too (shell.NewLex of BuildKit, dockerfile2llb/convert.go)"},
		},
	},
	// Each class of files has its own layer: a directory is the same in all.
	{name: "order", flags: []string{"--layers", "class"}, prepare: func(t testing.TB, dir string) {
		chmod(t, dir, 0o700, "a/sub")
		chmod(t, dir, 0o705, "b/sub")
		write(t, dir, "c.tar.gz", zipped(t, archive(t, []tar.Header{
			{Typeflag: tar.TypeDir, Name: "sub", Mode: 0o711},
			{Name: "two", Mode: 0o600},
			{Name: "sub/three", Mode: 0o600},
			{Typeflag: tar.TypeDir, Name: "archived/dir", Mode: 0o710},
			{Name: "archived/dir/two", Mode: 0o600},
		})))
	}},
}

// Why buildah's images differ from a bake's, more than once. BuildKit is
// v0.34.2, fsutil the version that it requires.
const (
	unseen = "buildah and Docker see the directory; a bake reads no layer of the base, and without an entry a missing one would get " +
		"the mode that a container runtime chooses (docs/determinism.md, Directories)"
	hardLinks   = "buildah and Docker keep them; a bake depends on what files are, and no checkout keeps hard links"
	setuidStays = "buildah drops setuid and setgid; Docker keeps them (copyFileInfo of fsutil, copy/copy_linux.go)"
	// Docker skips "." where the directory is there (Unpack of
	// github.com/moby/go-archive v0.2.0), and it is (unpack of BuildKit,
	// solver/llbsolver/file/unpack.go).
	rootOfArchive  = "buildah gives the mode of an archive's member ./ to the directory that it is unpacked into; Docker does not"
	ownerOfArchive = "buildah does not heed --chown for what an archive holds; Docker does " +
		"(unpack of BuildKit, solver/llbsolver/file/unpack.go)"
	portRange  = "Docker has an entry for each port of a range (dispatchExpose of BuildKit, dockerfile2llb/convert_expose.go)"
	maintainer = "buildah, like Docker, replaces the author; a bake keeps the base's and sets the label that replaced MAINTAINER (docs/dockerfile.md)"
)

const oneFile = "-rw-r--r-- 0:0 8 bytes 478a0b"

// names makes files whose names and kinds not every checkout can have.
func names(t testing.TB, dir string) {
	long := strings.Repeat("n", 200)
	mkdir(t, dir, long+"/"+long, "links/dir", "hard")
	for _, name := range []string{long + "/" + long + "/" + long, "links/dir/leaf", "links/file", "new\nline", "hard/one"} {
		write(t, dir, name, []byte(name))
	}
	link(t, os.Link, filepath.Join(dir, "hard/one"), filepath.Join(dir, "hard/two"))
	for name, target := range map[string]string{
		"links/to-file": "file", "links/to-dir": "dir", "links/absolute": "/etc/passwd", "links/to-nothing": "../../../../nowhere",
		"long-link": long + "/" + long + "/" + long,
	} {
		link(t, os.Symlink, target, filepath.Join(dir, name))
	}
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
	plain := archive(t, []tar.Header{{Name: "one", Mode: 0o644, Uid: 11, Gid: 12}, {Typeflag: tar.TypeDir, Name: "layers", Mode: 0o705}, {Name: "layers/two", Mode: 0o644}})
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
