// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A connection that ends before or after any of its requests was handled
// leaves a tag that is either the old image or the new one, and whole.
func TestCutAtEveryRequest(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		base remote.Taggable
	}{
		{"image", registrytest.BaseImage(t, registrytest.ImageOptions{})},
		{"index", registrytest.BaseIndex(t, "linux/amd64", "linux/arm64")},
	} {
		for cut, fault := range map[string]registrytest.Fault{"before": {Before: true}, "after": {After: true}} {
			t.Run(tc.name+", "+cut, func(t *testing.T) {
				var at atomic.Int64 // the request that is cut
				srv := startWith(t, registrytest.Options{Faults: func(n int, _ *http.Request) registrytest.Fault {
					if int64(n) == at.Load() {
						return fault
					}
					return registrytest.Fault{}
				}}, tc.base)
				oldImage := registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 99})
				was := digestOf(t, oldImage)
				at.Store(-1)
				will := doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/whole:1")).Digest
				sweep(t, srv, &at, oldImage, was, will)
			})
		}
	}
}

func sweep(t *testing.T, srv *registrytest.Server, at *atomic.Int64, oldImage v1.Image, was, will v1.Hash) {
	t.Helper()
	failed, lost := 0, 0
	for k := int64(1); ; k++ {
		repo := fmt.Sprintf("team/scorer-%d", k)
		srv.Push(t, repo+":1", oldImage)
		srv.Reset()
		at.Store(k)
		_, err := bake.Bake(t.Context(), scorer(srv.Host+"/team/base:1", srv.Host+"/"+repo+":1"),
			bake.NewRemote(bake.RemoteOptions{Retries: -1}), bake.Options{NoCheck: true})
		at.Store(-1)
		reached := int64(len(srv.Requests())) >= k
		got := digestAt(t, srv.Host+"/"+repo+":1")
		switch {
		case got != was && got != will:
			t.Errorf("request %d: the tag holds %s", k, got)
		case err == nil && got != will:
			t.Errorf("request %d: no error, and the tag holds the old image", k)
		case err != nil && got == will:
			lost++ // the answer, not the tag
		}
		if got == will && will != was {
			checkWhole(t, srv.Host+"/"+repo+":1")
		}
		if err != nil {
			failed++
		}
		if !reached {
			if k < 10 || failed == 0 {
				t.Errorf("%d requests were cut, and %d bakes failed: too few", k-1, failed)
			}
			break
		}
	}
	if lost > 1 {
		t.Errorf("%d bakes failed after the tag had moved, want the last request's at most", lost)
	}
}

func checkWhole(t *testing.T, ref string) {
	t.Helper()
	desc, err := remote.Get(reference(t, ref), remote.WithContext(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	if desc.MediaType.IsIndex() {
		pullIndex(t, ref)
	} else {
		pullImage(t, ref)
	}
}
