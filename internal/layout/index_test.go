// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/layout"
)

// A large index.json is not read into memory.
func TestLargeIndex(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	commit(t, w, store(t, w, image(t, 1)), "v1")
	if err := os.Truncate(filepath.Join(dir, "index.json"), 700<<20); err != nil {
		t.Fatal(err)
	}
	want := "index.json is larger than 8388608 bytes"
	if _, err := layout.Find(os.DirFS(dir), "v1"); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
	if _, err := layout.CreateDir(dir, layout.NewChecks()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// tagsIn is the digests of the entries of a layout, by tag.
func tagsIn(t testing.TB, dir string) map[string]string {
	t.Helper()
	fsys, closer, err := layout.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	entries, err := layout.Entries(fsys)
	if err != nil {
		t.Fatal(err)
	}
	tags := map[string]string{}
	for _, e := range entries {
		tags[e.Tag] = e.Digest.Hex[:8]
	}
	if len(tags) != len(entries) {
		t.Errorf("%d entries with %d tags", len(entries), len(tags))
	}
	return tags
}

// What is attached to an image gets tags of its own, which do not make the
// layout one of several images, and takes none from others.
func TestCommitAttached(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	list := "sha256-" + strings.Repeat("a", 64)
	blob := func(w layout.Writer, content string) layout.Image {
		desc := must(w.Put(t.Context(), strings.NewReader(content), "sha256"))(t)
		return layout.Image{Top: desc}
	}
	commit := func(image, attached string, tags ...string) {
		t.Helper()
		w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
		img := blob(w, image)
		img.Attach = func(context.Context) ([]layout.Entry, error) {
			var entries []layout.Entry
			for _, tag := range []string{list, list + ".sig"} {
				entries = append(entries, layout.Entry{Descriptor: blob(w, attached+tag).Top, Tag: tag})
			}
			return entries, nil
		}
		if err := w.Commit(t.Context(), img, tags); err != nil {
			t.Fatal(err)
		}
	}
	commit("one", "first")
	fsys, closer, err := layout.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	if _, err := layout.Find(fsys, ""); err != nil {
		t.Errorf("one image and what is attached to it: %v", err)
	}
	before := tagsIn(t, dir)
	commit("two", "second", "v2")
	after := tagsIn(t, dir)
	if len(before) != 3 || len(after) != 4 || after[""] != before[""] || after[list] == before[list] || after[list+".sig"] == before[list+".sig"] {
		t.Errorf("tags %v, before %v", after, before)
	}
	if _, err := layout.Find(fsys, ""); err == nil || !strings.Contains(err.Error(), "holds 2 images") {
		t.Errorf("two images: got %v", err)
	}

	// What is there already is not written again.
	index := filepath.Join(dir, "index.json")
	raw := append(must(os.ReadFile(index))(t), '\n')
	if err := os.WriteFile(index, raw, 0o666); err != nil {
		t.Fatal(err)
	}
	commit("two", "second", "v2")
	if diff := cmp.Diff(string(raw), string(must(os.ReadFile(index))(t))); diff != "" {
		t.Errorf("index.json (-before +after):\n%s", diff)
	}
}
