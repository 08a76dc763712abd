// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// Two hundred promotions at once of twenty images that share their base: every
// one arrives, and each blob that any number of them shares is sent once.
func TestPromoteMany(t *testing.T) {
	for _, tc := range []struct {
		name    string
		opts    regserver.Options
		uploads int // of each blob
	}{
		{"mounting", regserver.Options{}, 1},
		// Every repository has to be sent what it lacks, but once.
		{"not mounting", regserver.Options{NoMount: true}, 10},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from := registrytest.Start(t, registrytest.Options{})
			to := registrytest.Start(t, registrytest.Options{Options: tc.opts})
			base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 4, LayerSize: 30 << 10})
			var digests []v1.Hash
			for i := range 20 {
				img, err := mutate.AppendLayers(base, static.NewLayer(fmt.Appendf(nil, "model %d", i), types.OCILayer))
				if err != nil {
					t.Fatal(err)
				}
				from.Push(t, fmt.Sprintf("team/scorer-%d:v1", i), img)
				digests = append(digests, digestOf(t, img))
			}
			before := runtime.NumGoroutine()
			transport := newTransport()
			remote := bake.NewRemote(bake.RemoteOptions{Transport: transport})
			var wg sync.WaitGroup
			for i := range 200 {
				wg.Go(func() {
					src := fmt.Sprintf("%s/team/scorer-%d:v1", from.Host, i%20)
					dst := fmt.Sprintf("%s/prod-%d/scorer:v%d", to.Host, i%10, i)
					if _, err := bake.Promote(t.Context(), src, remote, bake.PromoteOptions{}, dst); err != nil {
						t.Errorf("promotion %d: %v", i, err)
					}
				})
			}
			wg.Wait()
			transport.CloseIdleConnections()
			noGoroutines(t, before)
			uploads := map[string]int{}
			for _, r := range to.Requests() {
				if !strings.Contains(r.Path, "/blobs/uploads/") || r.RequestBytes == 0 {
					continue
				}
				_, digest, _ := strings.Cut(r.Query, "digest=")
				uploads[digest]++
				if r.Method != http.MethodPost && r.Method != http.MethodPut {
					t.Errorf("%s %s", r.Method, r.Path)
				}
			}
			if len(uploads) != 4+20+20 {
				t.Errorf("%d blobs were sent, want 4 layers of the base, and 20 layers and configs", len(uploads))
			}
			for digest, n := range uploads {
				if n > tc.uploads {
					t.Errorf("%s was sent %d times, want at most %d", digest, n, tc.uploads)
				}
			}
			for i := range 200 {
				ref := fmt.Sprintf("%s/prod-%d/scorer:v%d", to.Host, i%10, i)
				if got := digestAt(t, ref); got != digests[i%20] {
					t.Errorf("%s is %s, want %s", ref, got, digests[i%20])
				}
			}
			for i := range 20 {
				pullWhole(t, fmt.Sprintf("%s/prod-%d/scorer:v%d", to.Host, i%10, 100+i))
			}
		})
	}
}

// Promotions to two registries, named in either order, never wait for each
// other in a circle, and one that fails does not keep the others.
func TestPromoteManyToTwo(t *testing.T) {
	from := registrytest.Start(t, registrytest.Options{})
	one, two := registrytest.Start(t, registrytest.Options{}), registrytest.Start(t, registrytest.Options{})
	full := registrytest.Start(t, registrytest.Options{Full: http.StatusInsufficientStorage})
	from.Push(t, "team/scorer:v1", registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 6}))
	remote := bake.NewRemote(bake.RemoteOptions{Retries: -1})
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			dst := []string{one.Host, two.Host}
			if i%2 == 1 {
				dst[0], dst[1] = dst[1], dst[0]
			}
			if i%4 == 2 {
				dst = append(dst, full.Host)
			}
			for n := range dst {
				dst[n] += fmt.Sprintf("/prod-%d/scorer:v1", i)
			}
			_, err := bake.Promote(t.Context(), from.Host+"/team/scorer:v1", remote, bake.PromoteOptions{}, dst...)
			if (err != nil) != (i%4 == 2) {
				t.Errorf("promotion %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	for i := range 40 {
		if i%4 != 2 {
			pullImage(t, fmt.Sprintf("%s/prod-%d/scorer:v1", one.Host, i))
			pullImage(t, fmt.Sprintf("%s/prod-%d/scorer:v1", two.Host, i))
		}
	}
}
