// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package layout_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// What a writer leaves is as readable as the umask lets other files be.
func TestModes(t *testing.T) {
	for umask, want := range map[int]fs.FileMode{0o022: 0o644, 0o077: 0o600, 0o002: 0o664} {
		for name, create := range writers {
			dir := t.TempDir()
			func() {
				defer syscall.Umask(syscall.Umask(umask))
				w := must(create(dir))(t)
				commit(t, w, store(t, w, image(t, 1)), "example.com/app:v1")
			}()
			files := 0
			for file := range tree(t, dir) {
				info := must(os.Stat(filepath.Join(dir, file)))(t)
				mode := want
				if info.IsDir() {
					mode |= mode >> 2 & 0o111
				}
				if info.Mode().IsRegular() {
					files++
				}
				if file != "./" && info.Mode().Perm() != mode {
					t.Errorf("%s, umask %03o: %s has mode %03o, want %03o", name, umask, file, info.Mode().Perm(), mode)
				}
			}
			if files == 0 {
				t.Errorf("%s: no files", name)
			}
		}
	}
}
