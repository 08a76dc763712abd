// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// What every Writer promises.
func TestWriter(t *testing.T) {
	for name, create := range writers {
		t.Run(name, func(t *testing.T) {
			t.Run("abort leaves nothing", func(t *testing.T) {
				dir := t.TempDir()
				w := must(create(dir))(t)
				store(t, w, image(t, 1))
				w.Abort()
				w.Abort()
				if diff := cmp.Diff(map[string]string{"./": ""}, tree(t, dir)); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
			})
			t.Run("abort of nothing leaves nothing", func(t *testing.T) {
				dir := t.TempDir()
				must(create(dir))(t).Abort()
				if diff := cmp.Diff(map[string]string{"./": ""}, tree(t, dir)); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
			})
			t.Run("broken content", func(t *testing.T) {
				dir := t.TempDir()
				w := must(create(dir))(t)
				put(t, w, []byte("before"))
				before := tree(t, dir)
				if _, err := w.Put(t.Context(), failing(100_000), "sha256"); !errors.Is(err, errBroken) {
					t.Errorf("got %v, want the reader's error", err)
				}
				if diff := cmp.Diff(sizes(before), sizes(tree(t, dir))); diff != "" {
					t.Errorf("left (-want +got):\n%s", diff)
				}
				w.Abort()
			})
			t.Run("cancelled", func(t *testing.T) {
				w := must(create(t.TempDir()))(t)
				defer w.Abort()
				reason := errors.New("enough")
				ctx, cancel := context.WithCancelCause(t.Context())
				cancel(reason)
				if _, err := w.Put(ctx, bytes.NewReader([]byte("x")), "sha256"); !errors.Is(err, reason) {
					t.Errorf("got %v, want the reason of the end", err)
				}
			})
			t.Run("sha512", func(t *testing.T) {
				dir := t.TempDir()
				w := must(create(dir))(t)
				const content = "by another algorithm"
				sum := sha512.Sum512([]byte(content))
				want := v1.Descriptor{Digest: v1.Hash{Algorithm: "sha512", Hex: hex.EncodeToString(sum[:])}, Size: int64(len(content))}
				if _, err := w.Put(t.Context(), failing(5000), "sha512"); !errors.Is(err, errBroken) {
					t.Errorf("got %v, want the reader's error", err)
				}
				for range 2 {
					got := must(w.Put(t.Context(), strings.NewReader(content), "sha512"))(t)
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("descriptor (-want +got):\n%s", diff)
					}
				}
				if _, err := w.Put(t.Context(), strings.NewReader(content), "md5"); err == nil || !strings.Contains(err.Error(), "md5") {
					t.Errorf("an algorithm of no image: got %v", err)
				}
				commit(t, w, store(t, w, image(t, 1)), "example.com/app:v1")
				fsys, closer := read(t, dir)
				defer closer.Close()
				rc := must(layout.Blob(fsys, want.Digest))(t)
				defer rc.Close()
				if got := must(io.ReadAll(rc))(t); string(got) != content {
					t.Errorf("got %q", got)
				}
				if _, err := os.Stat(filepath.Join(dir, "image.tar")); err == nil {
					unpack(t, filepath.Join(dir, "image.tar")) // it checks the headers
				}
			})
			t.Run("the same twice", func(t *testing.T) {
				dir := t.TempDir()
				w := must(create(dir))(t)
				defer w.Abort()
				put(t, w, []byte("once"))
				before := sizes(tree(t, dir))
				put(t, w, []byte("once"))
				if diff := cmp.Diff(before, sizes(tree(t, dir))); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// sizes is how many blocks of a tar the files take.
func sizes(tree map[string]string) map[string]int {
	all := map[string]int{}
	for name, content := range tree {
		all[name] = (len(content) + 511) / 512
	}
	return all
}

// Many goroutines put blobs, some of them the same.
func TestWriterConcurrently(t *testing.T) {
	for name, create := range writers {
		t.Run(name, func(t *testing.T) {
			w := must(create(t.TempDir()))(t)
			defer w.Abort()
			img := store(t, w, image(t, 1))
			var wg sync.WaitGroup
			for i := range 8 {
				wg.Go(func() {
					for j := range 10 {
						b := strings.Repeat("x", i*j)
						desc, err := w.Put(t.Context(), strings.NewReader(b), "sha256")
						if err != nil || desc.Size != int64(len(b)) {
							t.Errorf("%v, %v", desc, err)
						}
						if held, err := w.Has(t.Context(), desc); !held || err != nil {
							t.Errorf("%v is not there: %v", desc, err)
						}
					}
				})
			}
			wg.Wait()
			commit(t, w, img, "example.com/team/app:v1")
		})
	}
}

// A directory of other things is neither taken for a layout nor touched.
func TestDirIsRefused(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"other files":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o666) },
		"other directories": func(dir string) error { return os.Mkdir(filepath.Join(dir, "blobs"), 0o777) },
		"index.json only":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "index.json"), []byte("{}"), 0o666) },
		"a file in its place": func(dir string) error {
			return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o666))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "image")
			if err := errors.Join(os.Mkdir(dir, 0o777), make(dir)); err != nil {
				t.Fatal(err)
			}
			before := tree(t, filepath.Dir(dir))
			if _, err := layout.CreateDir(dir, layout.NewChecks()); err == nil {
				t.Error("accepted")
			}
			if diff := cmp.Diff(before, tree(t, filepath.Dir(dir))); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
		})
	}
}
