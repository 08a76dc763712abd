// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"testing/fstest"
)

func TestOwner(t *testing.T) {
	mapped := fstest.MapFS{"f": {Data: []byte("x"), Mode: 0o644, Sys: &syscall.Stat_t{Uid: 1000, Gid: 100}}}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	// A file may belong to its directory's group, so ask for the group.
	info, err := os.Stat(filepath.Join(dir, "f"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name     string
		fsys     fs.FS
		gid, uid int
	}{
		{"given", mapped, 100, 1000},
		{"real file", os.DirFS(dir), int(info.Sys().(*syscall.Stat_t).Gid), os.Geteuid()},
		{"unknown", fstest.MapFS{"f": text("x")}, -1, -1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := &inspection{fsys: test.fsys}
			file, _ := in.read("MODEL", "/f")
			if file.GID != test.gid || file.UID != test.uid {
				t.Errorf("gid %d, uid %d, want %d, %d", file.GID, file.UID, test.gid, test.uid)
			}
		})
	}
}

// A file that the process itself cannot open is reported, not fatal. Root can
// open every file, so the file system says no here.
func TestUnreadable(t *testing.T) {
	in := &inspection{fsys: denying{fstest.MapFS{"f": text("x")}}}
	file, content := in.read("MODEL", "/f")
	if file.Readable || content != nil || file.Size != 1 || file.Mode != "0644" {
		t.Errorf("file = %+v with %d bytes of content, want its facts and no content", file, len(content))
	}
	if len(in.problems) != 1 || in.problems[0] != "MODEL: /f: not readable by this process" {
		t.Errorf("problems = %q", in.problems)
	}
}

// denying lets files be seen but not opened.
type denying struct{ fstest.MapFS }

func (denying) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}

func (denying) ReadFile(name string) ([]byte, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrPermission}
}
