// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// agedFS is files whose identity is made up: as if they had last been changed
// at a given time.
type agedFS struct {
	fstest.MapFS
	changed time.Time
	inode   uint64
	opened  *atomic.Int64 // how often the asset was opened
}

func (a agedFS) Open(name string) (fs.File, error) {
	f, err := a.MapFS.Open(name)
	if name == "asset" {
		a.opened.Add(1)
	}
	return agedFile{f, a}, err
}

func (a agedFS) Stat(name string) (fs.FileInfo, error) {
	info, err := a.MapFS.Stat(name)
	return agedInfo{info, a}, err
}

type agedFile struct {
	fs.File
	aged agedFS
}

func (f agedFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return agedInfo{info, f.aged}, err
}

type agedInfo struct {
	fs.FileInfo
	aged agedFS
}

func (i agedInfo) Sys() any {
	changed := syscall.NsecToTimespec(i.aged.changed.UnixNano())
	return &syscall.Stat_t{Dev: 1, Ino: i.aged.inode, Size: i.Size(), Mtim: changed, Ctim: changed}
}

// aged is a bake with an asset that is worth remembering.
func aged(t *testing.T, base string, changed time.Time, seed byte, tag string) (bake.Spec, *atomic.Int64) {
	t.Helper()
	spec := scorer(base, tag)
	files := agedFS{MapFS: scorerFiles(), changed: changed, inode: 1, opened: &atomic.Int64{}}
	files.MapFS["asset"] = &fstest.MapFile{Data: random(3<<20, seed)}
	spec.FS = files
	spec.Assets = []bake.Asset{{Path: "asset"}}
	return spec, files.opened
}

func bakeWith(t *testing.T, spec bake.Spec, cache string) *bake.Report {
	t.Helper()
	report, err := bake.Bake(t.Context(), spec, nil, bake.Options{CacheDir: cache})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestUnchangedFilesAreNotReadAgain(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	cache := filepath.Join(t.TempDir(), "cache")
	old := time.Now().Add(-time.Hour)
	spec, opened := aged(t, srv.Host+"/team/base:1", old, 1, srv.Host+"/team/scorer:1")
	first := bakeWith(t, spec, cache)
	if opened.Load() == 0 {
		t.Fatal("the first bake did not read the asset")
	}

	spec, opened = aged(t, srv.Host+"/team/base:1", old, 1, srv.Host+"/team/scorer:2")
	srv.Reset()
	second := bakeWith(t, spec, cache)
	if second.Digest != first.Digest || opened.Load() != 0 || srv.UploadedBytes() > 64<<10 {
		t.Errorf("the second bake is %s (want %s), opened the asset %d times, uploaded %d bytes", second.Digest, first.Digest, opened.Load(), srv.UploadedBytes())
	}

	// Without the blob at the destination, the asset is read and sent.
	other := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	spec, opened = aged(t, other.Host+"/team/base:1", old, 1, other.Host+"/team/scorer:1")
	third := bakeWith(t, spec, cache)
	if opened.Load() == 0 || third.Layers[0] != first.Layers[0] {
		t.Errorf("the third bake has %v, want %v; opened %d times", third.Layers, first.Layers, opened.Load())
	}
	validImage(t, pullImage(t, third.Image))
}

// Whatever the cache says, the image is the one of the files.
func TestCacheThatIsWrong(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{})
	old := time.Now().Add(-time.Hour)
	for _, tc := range []struct {
		name  string
		cache func(t *testing.T, cache string) // what happens to it between two bakes
		seed  byte                             // of the asset of the second bake
	}{
		{"of other content with the same identity", func(*testing.T, string) {}, 2},
		{"damaged", func(t *testing.T, cache string) {
			overwrite(t, cache, func(raw []byte) []byte { raw[len(raw)/2] ^= 1; return raw })
		}, 2},
		{"cut short", func(t *testing.T, cache string) {
			overwrite(t, cache, func(raw []byte) []byte { return raw[:len(raw)/2] })
		}, 2},
		{"emptied", func(t *testing.T, cache string) { overwrite(t, cache, func([]byte) []byte { return nil }) }, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cache := filepath.Join(t.TempDir(), "cache")
			first := startWith(t, registrytest.Options{}, base)
			spec, _ := aged(t, first.Host+"/team/base:1", old, 1, first.Host+"/team/scorer:1")
			bakeWith(t, spec, cache)
			tc.cache(t, cache)

			second := startWith(t, registrytest.Options{}, base)
			spec, _ = aged(t, second.Host+"/team/base:1", old, tc.seed, second.Host+"/team/scorer:1")
			got := bakeWith(t, spec, cache)
			want := bakeWith(t, spec, "")
			if got.Digest != want.Digest {
				t.Errorf("digest %s, without a cache %s", got.Digest, want.Digest)
			}
			validImage(t, pullImage(t, got.Image))
			// The wrong entry is gone.
			if again := bakeWith(t, spec, cache); again.Digest != want.Digest {
				t.Errorf("again: digest %s, want %s", again.Digest, want.Digest)
			}
		})
	}
}

// overwrite changes every file of the cache.
func overwrite(t *testing.T, cache string, change func([]byte) []byte) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(cache, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		return os.WriteFile(name, change(raw), 0o600)
	})
	if err != nil || n == 0 {
		t.Fatalf("%d entries, %v", n, err)
	}
}

// A file that was changed a moment ago may be changed again without a trace,
// and one that has other metadata is another one.
func TestFilesThatMayHaveChanged(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	engine, tag := srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"
	cache := filepath.Join(t.TempDir(), "cache")
	spec, _ := aged(t, engine, time.Now(), 1, tag)
	bakeWith(t, spec, cache)
	if _, err := os.Stat(cache); err == nil {
		t.Error("a fresh file is remembered")
	}
	old := time.Now().Add(-time.Hour)
	spec, _ = aged(t, engine, old, 1, tag)
	bakeWith(t, spec, cache)
	for name, change := range map[string]func(*bake.Spec, *agedFS){
		"another time":        func(_ *bake.Spec, f *agedFS) { f.changed = old.Add(time.Nanosecond) },
		"another inode":       func(_ *bake.Spec, f *agedFS) { f.inode = 2 },
		"another level":       func(s *bake.Spec, _ *agedFS) { s.Compression = bake.Compression{Algorithm: bake.Gzip, Level: 3} },
		"another destination": func(s *bake.Spec, _ *agedFS) { s.Assets[0].Dest = "/opt/model/asset" },
		"another time of all": func(s *bake.Spec, _ *agedFS) { s.Created = time.Unix(1, 0) },
		"a further file": func(s *bake.Spec, _ *agedFS) {
			s.Assets = append(s.Assets, bake.Asset{Path: "rest.json", Dest: "more/x"})
		},
	} {
		spec, opened := aged(t, engine, old, 1, tag)
		files := spec.FS.(agedFS)
		change(&spec, &files)
		spec.FS = files
		bakeWith(t, spec, cache)
		if opened.Load() == 0 {
			t.Errorf("%s: the asset was not read", name)
		}
	}
}
