// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// fleetOf bakes n scorers that differ by a variable, all with one large asset.
func fleetOf(t *testing.T, fleet *bake.Fleet, dir, base string, n int, tag func(i int) string) []*bake.Report {
	t.Helper()
	reports := make([]*bake.Report, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer root.Close()
			spec := scorer(base, tag(i))
			spec.FS = root.FS()
			spec.Assets = []bake.Asset{{Path: "asset"}}
			spec.Env = map[string]string{"NUMBER": fmt.Sprint(i)}
			plan, err := bake.NewPlan(t.Context(), spec)
			if err == nil {
				reports[i], err = fleet.Bake(t.Context(), plan, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return reports
}

// scorerDir is scorerFiles and a large asset on disk.
func scorerDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range scorerFiles() {
		if err := os.WriteFile(filepath.Join(dir, name), f.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "asset"), random(3<<20, 1), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestFleet(t *testing.T) {
	const n = 12
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	dir := scorerDir(t)
	tag := func(i int) string { return fmt.Sprintf("%s/team/scorer-%d:v1", srv.Host, i) }
	srv.Reset()
	fleet := bake.NewFleet(nil, bake.Options{})
	defer fleet.Close()
	reports := fleetOf(t, fleet, dir, srv.Host+"/team/base:1", n, tag)
	if got := srv.Count(http.MethodGet, "/v2/team/base/manifests/*"); got != 3 {
		t.Errorf("the base's index and manifests were read %d times, want 3", got)
	}
	if got := srv.UploadedBytes(); got > 4<<20 {
		t.Errorf("%d bytes went up, want the asset of 3 MiB once", got)
	}
	for i, r := range reports {
		pullIndex(t, tag(i))
		// It is what a bake of its own gives.
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/alone:1")
		spec.FS, spec.Assets, spec.Env = root.FS(), []bake.Asset{{Path: "asset"}}, map[string]string{"NUMBER": fmt.Sprint(i)}
		if i%4 == 0 {
			if alone := doBake(t, spec); alone.Digest != r.Digest {
				t.Errorf("bake %d is %s, alone it is %s", i, r.Digest, alone.Digest)
			}
		}
		root.Close()
		if r.AlreadyThere {
			t.Errorf("bake %d was there already", i)
		}
	}

	// A second run finds everything, and one that lost an image mends it.
	srv.Reset()
	second := bake.NewFleet(nil, bake.Options{CacheDir: t.TempDir()})
	defer second.Close()
	for i, r := range fleetOf(t, second, dir, srv.Host+"/team/base:1", n, tag) {
		if r.Digest != reports[i].Digest {
			t.Errorf("bake %d is %s, was %s", i, r.Digest, reports[i].Digest)
		}
	}
	if got := srv.UploadedBytes(); got > 64<<10 {
		t.Errorf("a second run sent %d bytes", got)
	}
	srv.Push(t, "team/scorer-3:v1", registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 5}))
	third := bake.NewFleet(nil, bake.Options{})
	defer third.Close()
	fleetOf(t, third, dir, srv.Host+"/team/base:1", n, tag)
	if got := digestAt(t, tag(3)); got != reports[3].Digest {
		t.Errorf("the image that was lost is %s, want %s", got, reports[3].Digest)
	}
}
