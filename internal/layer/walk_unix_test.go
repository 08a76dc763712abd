// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package layer_test

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/crane-bake/crane-bake/internal/layer"
)

func TestWalkSpecialFiles(t *testing.T) {
	// A socket's path has about 100 bytes at most, which t.TempDir may exceed.
	dir, err := os.MkdirTemp("", "walk")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := os.Symlink("fifo", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	_, err = layer.Walk(os.DirFS(dir), ".", "a")
	want := `"fifo": is a named pipe; want a file or a directory
"link": is a named pipe; want a file or a directory
"socket": is a socket; want a file or a directory`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestWalkDevice(t *testing.T) {
	_, err := layer.Walk(os.DirFS("/dev"), "null", "a")
	want := `"null": is a device; want a file or a directory`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
