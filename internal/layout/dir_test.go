// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/layout"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/validate"
)

// What Dir writes, go-containerregistry reads, and finds to be valid.
func TestDirRoundTrip(t *testing.T) {
	for name, dir := range map[string]string{"absent": "a/b/image", "empty": "."} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), dir)
			w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
			img, index := image(t, 1), registrytest.BaseIndex(t, "linux/amd64", "linux/arm64/v8")
			commit(t, w, store(t, w, img), "v1")

			w = must(layout.CreateDir(dir, layout.NewChecks()))(t)
			commit(t, w, storeIndex(t, w, index), "all")

			all := must(ggcr.ImageIndexFromPath(dir))(t)
			if err := validate.Index(all); err != nil {
				t.Error(err)
			}
			want := []string{"v1 " + short(t, img), "all " + short(t, index)}
			if diff := cmp.Diff(want, tags(t, os.DirFS(dir))); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
			for _, d := range must(all.IndexManifest())(t).Manifests {
				if d.Platform != nil && d.MediaType.IsIndex() {
					t.Errorf("%s has a platform", d.Digest)
				}
			}
			raw := must(must(all.Image(must(img.Digest())(t)))(t).RawManifest())(t)
			if diff := cmp.Diff(string(must(img.RawManifest())(t)), string(raw)); diff != "" {
				t.Errorf("manifest (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDirTags(t *testing.T) {
	imgs := []v1.Image{image(t, 0), image(t, 1), image(t, 2)}
	type step struct {
		img  int
		tags []string
	}
	for _, test := range []struct {
		name  string
		steps []step
		want  []string // TAG IMAGE
	}{
		{"one", []step{{0, []string{"v1"}}}, []string{"v1 0"}},
		{"several", []step{{0, []string{"v1", "latest"}}}, []string{"v1 0", "latest 0"}},
		{"none", []step{{0, nil}}, []string{" 0"}},
		{"added", []step{{0, []string{"v1"}}, {1, []string{"v2"}}}, []string{"v1 0", "v2 1"}},
		{"moved", []step{{0, []string{"v1", "latest"}}, {1, []string{"v2", "latest"}}}, []string{"v1 0", "v2 1", "latest 1"}},
		{"again", []step{{0, []string{"v1"}}, {0, []string{"v1"}}}, []string{"v1 0"}},
		{"none in place of none", []step{{0, nil}, {1, []string{"v1"}}, {2, nil}}, []string{"v1 1", " 2"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "image")
			for _, s := range test.steps {
				w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
				commit(t, w, store(t, w, imgs[s.img]), s.tags...)
			}
			var want []string
			for _, tag := range test.want {
				img := imgs[tag[len(tag)-1]-'0']
				want = append(want, tag[:len(tag)-1]+short(t, img))
			}
			if diff := cmp.Diff(want, tags(t, os.DirFS(dir))); diff != "" {
				t.Errorf("tags (-want +got):\n%s", diff)
			}
		})
	}
}

// What others put into an index.json stays there.
func TestDirKeepsForeignEntries(t *testing.T) {
	dir := t.TempDir()
	path := must(ggcr.Write(dir, registrytest.BaseIndex(t, "linux/amd64")))(t)
	kept := image(t, 5)
	if err := path.AppendImage(kept, ggcr.WithAnnotations(map[string]string{
		"org.opencontainers.image.ref.name": "theirs", "com.example.note": "kept",
	})); err != nil {
		t.Fatal(err)
	}
	before := must(must(path.ImageIndex())(t).IndexManifest())(t)
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	commit(t, w, store(t, w, image(t, 1)), "ours")
	after := must(must(path.ImageIndex())(t).IndexManifest())(t)
	if diff := cmp.Diff(before.Manifests, after.Manifests[:len(before.Manifests)]); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before.Annotations, after.Annotations); diff != "" {
		t.Errorf("annotations (-want +got):\n%s", diff)
	}
}

// What other tools left untagged stays, whatever is published without a tag.
func TestDirKeepsUntaggedEntries(t *testing.T) {
	dir := t.TempDir()
	path := must(ggcr.Write(dir, registrytest.BaseIndex(t, "linux/amd64")))(t)
	referrer := image(t, 5)
	if err := path.AppendImage(referrer); err != nil {
		t.Fatal(err)
	}
	theirs := tags(t, os.DirFS(dir))
	for _, seed := range []uint64{1, 2, 2} {
		img := image(t, seed)
		w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
		commit(t, w, store(t, w, img))
		if diff := cmp.Diff(append(slices.Clone(theirs), " "+short(t, img)), tags(t, os.DirFS(dir))); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
	}
	// An entry that is there already is as good as a new one.
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	commit(t, w, store(t, w, referrer))
	if diff := cmp.Diff(theirs, tags(t, os.DirFS(dir))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
}

// Blobs that are there already are neither written again nor taken away.
func TestDirAbortKeepsWhatWasThere(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	commit(t, w, store(t, w, image(t, 1)), "v1")
	before := tree(t, parent)
	info := map[string]os.FileInfo{}
	for name := range before {
		if !strings.HasSuffix(name, "/") {
			info[name] = must(os.Stat(filepath.Join(parent, name)))(t)
		}
	}

	w = must(layout.CreateDir(dir, layout.NewChecks()))(t)
	store(t, w, image(t, 1))
	store(t, w, image(t, 2))
	if maps.Equal(before, tree(t, parent)) {
		t.Error("nothing was written")
	}
	w.Abort()
	if diff := cmp.Diff(before, tree(t, parent)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	for name, was := range info {
		is := must(os.Stat(filepath.Join(parent, name)))(t)
		if !os.SameFile(was, is) || !was.ModTime().Equal(is.ModTime()) {
			t.Errorf("%s was written again", name)
		}
	}
}

// A commit that fails is aborted like any other.
func TestDirCommitFails(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "new", "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	img := store(t, w, image(t, 1))
	inTheWay := filepath.Join(dir, "index.json", "x")
	if err := os.MkdirAll(inTheWay, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(t.Context(), img, []string{"v1"}); err == nil {
		t.Fatal("committed")
	}
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if diff := cmp.Diff(map[string]string{"./": ""}, tree(t, parent)); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// A layout whose index.json cannot be understood is not overwritten.
func TestDirBrokenIndex(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	commit(t, w, store(t, w, image(t, 1)), "v1")
	if err := os.WriteFile(filepath.Join(dir, "index.json"), []byte("{"), 0o666); err != nil {
		t.Fatal(err)
	}
	before := tree(t, dir)
	if _, err := layout.CreateDir(dir, layout.NewChecks()); err == nil || !strings.Contains(err.Error(), "index.json") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, tree(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// A directory that goes away, as a disk does that fails, is an error.
func TestDirPutFails(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "image")
	w := must(layout.CreateDir(dir, layout.NewChecks()))(t)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Put(t.Context(), io.LimitReader(brokenReader{}, 0), "sha256"); err == nil {
		t.Error("put into nothing")
	}
	w.Abort()
}
