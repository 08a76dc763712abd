// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
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

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// countingFS counts how often each file is opened.
type countingFS struct {
	fstest.MapFS
	mu     sync.Mutex
	opened map[string]int
}

func (c *countingFS) Open(name string) (fs.File, error) {
	c.mu.Lock()
	if c.opened == nil {
		c.opened = map[string]int{}
	}
	c.opened[name]++
	c.mu.Unlock()
	return c.MapFS.Open(name)
}

// Stat opens nothing.
func (c *countingFS) Stat(name string) (fs.FileInfo, error) { return c.MapFS.Stat(name) }

// everywhere is destinations of every kind, and several of some.
type everywhere struct {
	base, other *registrytest.Server
	dir         string
	tags        []string
}

func newEverywhere(t *testing.T, img v1.Image, opts registrytest.Options) everywhere {
	t.Helper()
	e := everywhere{base: startWith(t, registrytest.Options{}, img), other: registrytest.Start(t, opts), dir: t.TempDir()}
	e.tags = []string{
		e.base.Host + "/team/scorer:v1",
		e.base.Host + "/other/scorer:v1",
		e.base.Host + "/team/scorer:latest",
		e.other.Host + "/prod/scorer:v1",
		"oci:" + e.dir + "/layout:v1",
		"oci-archive:" + e.dir + "/oci.tar:v1",
		"docker-archive:" + e.dir + "/docker.tar:example.com/scorer:v1",
	}
	return e
}

// tree lists a directory's files and their contents.
func tree(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		files[name] = "directory"
		if d.Type().IsRegular() {
			data, err := os.ReadFile(filepath.Join(dir, name))
			files[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSeveralDestinations(t *testing.T) {
	t.Parallel()
	e := newEverywhere(t, registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3}), registrytest.Options{})
	files := &countingFS{MapFS: scorerFiles()}
	files.MapFS["weights.bin"] = &fstest.MapFile{Data: random(3<<20, 1)}
	files.MapFS["large/a.bin"] = &fstest.MapFile{Data: random(1<<20, 2)}
	files.MapFS["large/b.bin"] = &fstest.MapFile{Data: random(1<<20, 3)}
	spec := scorer(e.base.Host+"/team/base:1", e.tags...)
	spec.FS = files
	spec.Attachments = []string{"weights.bin"}
	spec.Assets = []bake.Asset{{Path: "large"}}
	plan := newPlan(t, spec)
	files.opened = nil // the check reads, too
	report, err := plan.Bake(t.Context(), nil, bake.Options{NoCheck: true})
	if err != nil {
		t.Fatal(err)
	}

	for _, tag := range e.tags {
		img := written(t, tag)
		if strings.HasPrefix(tag, "docker-archive") {
			compareImages(t, pullImage(t, e.tags[0]), img, true)
		} else if got := digestOf(t, img); got != report.Digest {
			t.Errorf("%s is %s, want %s", tag, got, report.Digest)
		}
	}
	for name, n := range files.opened {
		limit := 2
		if len(files.MapFS[name].Data) >= 1<<20 {
			limit = 1
		}
		if n > limit {
			t.Errorf("%s was opened %d times, want at most %d", name, n, limit)
		}
	}
	if got := slices.Sorted(maps.Keys(files.opened)); len(got) != 8 {
		t.Errorf("opened files %q, want all eight", got)
	}
	sortedTags := slices.Sorted(slices.Values(e.tags))
	if diff := cmp.Diff(sortedTags, slices.Sorted(slices.Values(report.Tags))); diff != "" {
		t.Errorf("tags (-want +got):\n%s", diff)
	}
	for _, published := range report.Published {
		if !strings.HasSuffix(published, "@"+report.Digest.String()) {
			t.Errorf("published %s, without the digest", published)
		}
	}
	// Repositories of one registry share what one of them has.
	if n := e.base.Count("PATCH", "*"); n != 2 {
		t.Errorf("%d streams went to the base's registry, want one a large layer", n)
	}
}

// The bake ends with nothing anywhere if one destination cannot be written.
func TestOneDestinationFails(t *testing.T) {
	t.Parallel()
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	for _, tc := range []struct {
		name string
		opts registrytest.Options // of the other registry
		is   error
	}{
		{"read-only", registrytest.Options{ReadOnly: 403}, bake.ErrDenied},
		{"full", registrytest.Options{Full: 507}, bake.ErrUnavailable},
		{"no blobs", registrytest.Options{Faults: always("PUT", "/blobs/uploads/", registrytest.Fault{Status: 500})}, bake.ErrUnavailable},
		{"cut in the middle", registrytest.Options{Faults: always("PATCH", "", registrytest.Fault{CutRequest: 100 << 10})}, bake.ErrUnavailable},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := newEverywhere(t, img, tc.opts)
			files := scorerFiles()
			files["weights.bin"] = &fstest.MapFile{Data: random(2<<20, 1)}
			spec := scorer(e.base.Host+"/team/base:1", e.tags...)
			spec.FS, spec.Assets = files, []bake.Asset{{Path: "weights.bin"}}
			_, err := bake.Bake(t.Context(), spec, bake.NewRemote(bake.RemoteOptions{Retries: -1}), bake.Options{NoCheck: true})
			if !errors.Is(err, tc.is) {
				t.Errorf("got %v, want %v", err, tc.is)
			}
			if err != nil && !strings.Contains(err.Error(), "destination "+e.other.Host+"/prod/scorer") {
				t.Errorf("%v does not say which destination", err)
			}
			if n := e.base.Count("PUT", "*/manifests/*"); n != 0 {
				t.Errorf("%d manifests were written", n)
			}
			if left := tree(t, e.dir); len(left) != 0 {
				t.Errorf("files were left: %q", slices.Sorted(maps.Keys(left)))
			}
		})
	}
}

// always is a fault of every request with the method and path.
func always(method, path string, f registrytest.Fault) func(int, *http.Request) registrytest.Fault {
	return func(_ int, r *http.Request) registrytest.Fault {
		if r.Method == method && strings.Contains(r.URL.Path, path) {
			return f
		}
		return registrytest.Fault{}
	}
}

// A docker-archive cannot hold an index: that must be known before another
// destination has its tag.
func TestIndexToDockerArchive(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	dir := t.TempDir()
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1", "oci:"+dir+"/layout:1", "docker-archive:"+dir+"/docker.tar:scorer")
	_, err := bake.Bake(t.Context(), spec, nil, bake.Options{NoCheck: true})
	if !errors.Is(err, bake.ErrUsage) || !strings.Contains(err.Error(), "--platform") {
		t.Errorf("got %v, want a usage error that says --platform", err)
	}
	if got := digestAt(t, srv.Host+"/team/scorer:1"); got != (v1.Hash{}) {
		t.Errorf("the tag was written: %s", got)
	}
	if left := tree(t, dir); len(left) != 0 {
		t.Errorf("files were left: %q", slices.Sorted(maps.Keys(left)))
	}
	spec.Platforms = []string{"linux/arm64"}
	doBake(t, spec)
	if got := configOf(t, written(t, spec.Tags[2])).Architecture; got != "arm64" {
		t.Errorf("the archive is for %s", got)
	}
}
