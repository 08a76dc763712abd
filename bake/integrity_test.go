// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// old puts something under team/scorer:1 that a failing bake must not move.
func old(t testing.TB, srv *registrytest.Server) v1.Hash {
	t.Helper()
	srv.Push(t, "team/scorer:1", registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 99}))
	return digestAt(t, srv.Host+"/team/scorer:1")
}

// unmoved wants the tag to be what old put there, and valid.
func unmoved(t testing.TB, srv *registrytest.Server, want v1.Hash) {
	t.Helper()
	if got := digestOf(t, pullImage(t, srv.Host+"/team/scorer:1")); got != want {
		t.Errorf("the tag moved to %s", got)
	}
}

// corrupt corrupts the answers to GET requests whose path holds part.
func corrupt(part string) func(int, *http.Request) registrytest.Fault {
	return always("GET", part, registrytest.Fault{Corrupt: true})
}

func TestCorruptBase(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{LayerSize: 300 << 10})
	m := manifestOf(t, base)
	for _, tc := range []struct {
		name string
		part string
	}{
		{"manifest", "/manifests/1"},
		{"config", m.Config.Digest.String()},
		{"layer", m.Layers[1].Digest.String()},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from := startWith(t, registrytest.Options{Faults: corrupt(tc.part)}, base)
			to := registrytest.Start(t, registrytest.Options{})
			want, dir := old(t, to), t.TempDir()
			spec := scorer(from.Host+"/team/base:1", to.Host+"/team/scorer:1", "oci-archive:"+dir+"/oci.tar", "oci:"+dir+"/layout")
			_, err := bake.Bake(t.Context(), spec, nil, bake.Options{NoCheck: true})
			if !errors.Is(err, bake.ErrIntegrity) || !strings.Contains(err.Error(), "base "+from.Host+"/team/base:1") {
				t.Errorf("got %v, want an integrity error of the base", err)
			}
			unmoved(t, to, want)
			if left := tree(t, dir); len(left) != 0 {
				t.Errorf("files were left: %q", slices.Sorted(maps.Keys(left)))
			}
		})
	}
}

// The destination may notice before the client that a layer is not what its
// digest says; either way the tag stays.
func TestCorruptLayerAlone(t *testing.T) {
	t.Parallel()
	for _, size := range []int64{1 << 10, 63 << 10, 300 << 10} {
		base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 1, LayerSize: size})
		from := startWith(t, registrytest.Options{Faults: corrupt(manifestOf(t, base).Layers[0].Digest.String())}, base)
		for range 3 {
			to := registrytest.Start(t, registrytest.Options{})
			want := old(t, to)
			_, err := bake.Bake(t.Context(), scorer(from.Host+"/team/base:1", to.Host+"/team/scorer:1"), nil, bake.Options{NoCheck: true})
			if !errors.Is(err, bake.ErrIntegrity) {
				t.Errorf("%d bytes: got %v, want an integrity error", size, err)
			}
			unmoved(t, to, want)
		}
	}
}

func TestCorruptLayout(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{LayerSize: 300 << 10})
	m := manifestOf(t, img)
	for name, h := range map[string]v1.Hash{"manifest": digestOf(t, img), "config": m.Config.Digest, "layer": m.Layers[0].Digest} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "layout")
			writeLayout(t, dir, img, "base")
			file := filepath.Join(dir, "blobs", h.Algorithm, h.Hex)
			data := must[[]byte](t)(os.ReadFile(file))
			data[len(data)/2] ^= 1
			if err := os.WriteFile(file, data, 0o666); err != nil {
				t.Fatal(err)
			}
			to := registrytest.Start(t, registrytest.Options{})
			want := old(t, to)
			_, err := bake.Bake(t.Context(), scorer("oci:"+dir, to.Host+"/team/scorer:1"), nil, bake.Options{NoCheck: true})
			if !errors.Is(err, bake.ErrIntegrity) {
				t.Errorf("got %v, want an integrity error", err)
			}
			unmoved(t, to, want)
		})
	}
}

func TestInconsistentBase(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	for _, tc := range []struct {
		name   string
		change func(config, manifest map[string]any)
	}{
		{"a layer too many", func(config, _ map[string]any) {
			rootfs := config["rootfs"].(map[string]any)
			rootfs["diff_ids"] = rootfs["diff_ids"].([]any)[:1]
		}},
		{"a layer too few", func(_, manifest map[string]any) { manifest["layers"] = manifest["layers"].([]any)[:1] }},
		{"a config without layers", func(config, _ map[string]any) { delete(config, "rootfs") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{})
			srv.Push(t, "team/base:whole", img)
			srv.Push(t, "team/base:1", edit(t, img, tc.change))
			want := old(t, srv)
			_, err := bake.Bake(t.Context(), scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"), nil, bake.Options{NoCheck: true})
			if !errors.Is(err, bake.ErrIntegrity) {
				t.Errorf("got %v, want an integrity error", err)
			}
			unmoved(t, srv, want)
		})
	}
}

// A shiftingFS changes one of its files when it is opened for the nth time, or
// after some of it was read.
type shiftingFS struct {
	fstest.MapFS
	name   string
	change func(*fstest.MapFile)
	opens  int // until the change; 0 is at no open
	bytes  int // until the change; 0 is at no byte

	mu sync.Mutex
}

func (s *shiftingFS) Stat(name string) (fs.FileInfo, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.MapFS.Stat(name)
}

func (s *shiftingFS) Open(name string) (fs.File, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if name != s.name {
		return s.MapFS.Open(name)
	}
	if s.opens > 0 {
		if s.opens--; s.opens == 0 {
			s.change(s.MapFS[name])
		}
	}
	f, err := s.MapFS.Open(name)
	return &shiftingFile{f, s}, err
}

type shiftingFile struct {
	fs.File
	fsys *shiftingFS
}

func (f *shiftingFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p[:min(len(p), 64<<10)])
	f.fsys.mu.Lock()
	defer f.fsys.mu.Unlock()
	if f.fsys.bytes > 0 {
		if f.fsys.bytes -= n; f.fsys.bytes <= 0 {
			f.fsys.bytes = 0
			f.fsys.change(f.fsys.MapFS[f.fsys.name])
		}
	}
	if err == io.EOF {
		// Another handle has what Stat says now.
		now, serr := f.fsys.MapFS.Open(f.fsys.name)
		if serr != nil {
			return n, serr
		}
		f.File = now
		_, _ = io.Copy(io.Discard, now) // at its end, too
	}
	return n, err
}

func TestChangedFile(t *testing.T) {
	t.Parallel()
	const large = 2 << 20
	longer := func(f *fstest.MapFile) { f.Data = append(slices.Clone(f.Data), 'x') }
	shorter := func(f *fstest.MapFile) { f.Data = f.Data[:len(f.Data)-1] }
	touched := func(f *fstest.MapFile) { f.ModTime = time.Unix(1, 0) }
	other := func(f *fstest.MapFile) { f.Data = random(len(f.Data), 7) }
	for _, tc := range []struct {
		name   string
		size   int
		change func(*fstest.MapFile)
		opens  int
		bytes  int
	}{
		{"longer before", 100, longer, 1, 0},
		{"shorter before", 100, shorter, 1, 0},
		{"touched before", 100, touched, 1, 0},
		{"large, longer before", large, longer, 1, 0},
		{"large, touched before", large, touched, 1, 0},
		{"large, touched meanwhile", large, touched, 0, large / 2},
		{"large, longer meanwhile", large, longer, 0, large / 2},
		// Small files are hashed first and read again to be sent: even a
		// change that nothing but the content shows is noticed.
		{"other content between both passes", 100, other, 2, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
			want, dir := old(t, srv), t.TempDir()
			files := &shiftingFS{MapFS: scorerFiles(), name: "model.py3", change: tc.change}
			files.MapFS["model.py3"] = &fstest.MapFile{Data: random(tc.size, 1)}
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1", "oci-archive:"+dir+"/oci.tar", "oci:"+dir+"/layout")
			spec.FS = files
			plan := newPlan(t, spec)
			files.opens, files.bytes = tc.opens, tc.bytes
			_, err := plan.Bake(t.Context(), nil, bake.Options{NoCheck: true})
			if !errors.Is(err, bake.ErrChanged) {
				t.Errorf("got %v, want %v", err, bake.ErrChanged)
			}
			unmoved(t, srv, want)
			if left := tree(t, dir); len(left) != 0 {
				t.Errorf("files were left: %q", slices.Sorted(maps.Keys(left)))
			}
		})
	}
}

// A file that is removed after the plan is one that changed.
func TestRemovedFile(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	want := old(t, srv)
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	plan := newPlan(t, spec)
	delete(spec.FS.(fstest.MapFS), "rest.json")
	if _, err := plan.Bake(t.Context(), nil, bake.Options{NoCheck: true}); !errors.Is(err, bake.ErrChanged) {
		t.Errorf("got %v, want %v", err, bake.ErrChanged)
	}
	unmoved(t, srv, want)
}
