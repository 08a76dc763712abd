// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"

	"github.com/crane-bake/crane-bake/internal/layout"
)

// Many writers, as of the bakes of a fleet or of several processes, leave a
// layout that has all their tags, even where they all find no directory.
func TestManyWriters(t *testing.T) {
	const n = 8
	dir := filepath.Join(t.TempDir(), "deep", "image")
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			w, err := layout.CreateDir(dir, layout.NewChecks())
			if err != nil {
				t.Error(err)
				return
			}
			img := store(t, w, image(t, uint64(i%3)))
			if i%4 == 3 {
				w.Abort()
				return
			}
			if err := w.Commit(t.Context(), img, []string{fmt.Sprint("v", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(tagsIn(t, dir)); got != n-n/4 {
		t.Errorf("%d tags, want %d", got, n-n/4)
	}
	index, err := ggcr.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// A writer that gives up takes nothing away that another one refers to.
func TestAbortBesideAnother(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	a := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	b := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	store(t, a, image(t, 1))
	commit(t, b, store(t, b, image(t, 1)), "b")
	a.Abort()
	index, err := ggcr.ImageIndexFromPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate.Index(index); err != nil {
		t.Error(err)
	}
}

// A blob that is not what its name says is written anew.
func TestDamagedBlob(t *testing.T) {
	for name, damage := range map[string]func(file string, size int64) error{
		"cut short": func(file string, size int64) error { return os.Truncate(file, size/2) },
		"changed": func(file string, size int64) error {
			return os.WriteFile(file, []byte(strings.Repeat("x", int(size))), 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "image")
			w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
			img := image(t, 1)
			commit(t, w, store(t, w, img), "v1")
			layer := must(img.Layers())(t)[0]
			digest, size := must(layer.Digest())(t), must(layer.Size())(t)
			if err := damage(filepath.Join(dir, "blobs", "sha256", digest.Hex), size); err != nil {
				t.Fatal(err)
			}
			w = must(layout.CreateDir(dir, layout.NewChecks()))(t)
			if held, err := w.Has(t.Context(), v1.Descriptor{Digest: digest, Size: size}); held || err != nil {
				t.Errorf("the damaged blob is said to be there: %v, %v", held, err)
			}
			commit(t, w, store(t, w, img), "v2")
			index, err := ggcr.ImageIndexFromPath(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := validate.Index(index); err != nil {
				t.Error(err)
			}
		})
	}
}

// What a writer that was killed has left is swept by the next.
func TestSweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	commit(t, w, store(t, w, image(t, 1)), "v1")
	left := filepath.Join(dir, ".part-00000000")
	if err := errors.Join(os.Mkdir(left, 0o700), os.WriteFile(filepath.Join(left, "lock"), nil, 0o600), os.WriteFile(filepath.Join(left, "x"), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	must(layout.CreateDir(dir, layout.NewChecks()))(t).Abort()
	if _, err := os.Stat(left); err == nil {
		t.Error("it is still there")
	}
}
