// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/crane-bake/crane-bake/internal/layout"
)

// Where the system has no locks, a name is locked once, however it is spelled.
func TestLockByName(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "a"), 0o700), os.Symlink("a", filepath.Join(dir, "b"))); err != nil {
		t.Skip(err)
	}
	f := must(os.Create(filepath.Join(dir, "a", "file")))(t)
	defer f.Close()
	same := must(os.Open(filepath.Join(dir, "b", "file")))(t)
	defer same.Close()
	other := must(os.Create(filepath.Join(dir, "other")))(t)
	defer other.Close()

	release := must(layout.LockByName(f))(t)
	if release == nil {
		t.Fatal("a file that nobody has is locked")
	}
	if again := must(layout.LockByName(same))(t); again != nil {
		t.Error("locked twice")
	}
	free := must(layout.LockByName(other))(t)
	if free == nil {
		t.Error("another file is locked as well")
	} else {
		free()
	}
	release()
	again := must(layout.LockByName(same))(t)
	if again == nil {
		t.Fatal("still locked")
	}
	again()
}
