// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package layout_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/layout"
)

// soon fails the test where do waits for something that never comes.
func soon(t *testing.T, what string, do func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatalf("%s: still waiting", what)
		return nil
	}
}

// Nothing waits for a named pipe.
func TestPipes(t *testing.T) {
	for _, name := range []string{"index.json", "oci-layout"} {
		dir := filepath.Join(t.TempDir(), "image")
		w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
		commit(t, w, store(t, w, image(t, 1)), "v1")
		if err := errors.Join(os.Remove(filepath.Join(dir, name)), syscall.Mkfifo(filepath.Join(dir, name), 0o600)); err != nil {
			t.Fatal(err)
		}
		for what, do := range map[string]func() error{
			"Find":      func() error { _, err := layout.Find(os.DirFS(dir), "v1"); return err },
			"CreateDir": func() error { _, err := layout.CreateDir(dir, layout.NewChecks()); return err },
		} {
			if err := soon(t, what, do); !errors.Is(err, layout.ErrNotRegular) {
				t.Errorf("%s of a pipe %s: got %v", what, name, err)
			}
		}
	}

	dir := filepath.Join(t.TempDir(), "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	img := image(t, 1)
	commit(t, w, store(t, w, img), "v1")
	blob := v1.Descriptor{Digest: must(img.Digest())(t), Size: must(img.Size())(t)}
	pipe := filepath.Join(dir, "blobs", "sha256", blob.Digest.Hex)
	if err := errors.Join(os.Remove(pipe), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	err := soon(t, "Blob", func() error { _, err := layout.Blob(os.DirFS(dir), blob.Digest); return err })
	if !errors.Is(err, layout.ErrNotRegular) {
		t.Errorf("Blob: got %v", err)
	}
	err = soon(t, "Holds", func() error {
		held, err := layout.NewChecks().Holds(t.Context(), dir, blob)
		if held {
			t.Error("a pipe counts as the blob")
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	err = soon(t, "OpenTar", func() error { _, err := layout.OpenTar(pipe); return err })
	if !errors.Is(err, layout.ErrNotRegular) {
		t.Errorf("OpenTar: got %v", err)
	}
}

// An archive takes the place of a file, through links, with the file's mode, and
// of nothing else.
func TestArchiveInPlace(t *testing.T) {
	dir := t.TempDir()
	file, link, dangling := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "dangling")
	pipe := filepath.Join(dir, "pipe")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chmod(file, 0o600), os.Symlink("file", link), os.Symlink("new", dangling), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{pipe, "/dev/null"} {
		if _, err := layout.CreateArchive(name, false); !errors.Is(err, layout.ErrNotRegular) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := layout.CreateArchive(dir, false); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("%s: got %v", dir, err)
	}
	// A link that leads up from where another link leads.
	far := filepath.Join(t.TempDir(), "far")
	if err := errors.Join(os.Mkdir(far, 0o700), os.Symlink(far, filepath.Join(dir, "near")), os.Symlink("near/../up", filepath.Join(dir, "winding"))); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{
		link: file, dangling: filepath.Join(dir, "new"), filepath.Join(dir, "winding"): filepath.Join(filepath.Dir(far), "up"),
	} {
		w := must(layout.CreateArchive(name, false))(t)
		commit(t, w, store(t, w, image(t, 1)), "v1")
		info := must(os.Lstat(name))(t)
		if info.Mode()&os.ModeSymlink == 0 {
			t.Errorf("%s is no link any more", name)
		}
		if is := must(os.Stat(target))(t); is.Size() == 0 || target == file && is.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %d bytes", target, is.Mode(), is.Size())
		}
	}
}
