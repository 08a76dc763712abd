// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"context"
	"errors"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// newTransport is a transport whose connections a test can close.
func newTransport() *http.Transport {
	return remote.DefaultTransport.(*http.Transport).Clone()
}

// noGoroutines waits for the goroutines of connections that were closed.
func noGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			t.Fatalf("%d goroutines, want %d:\n%s", runtime.NumGoroutine(), before, stacks)
		}
	}
}

var errLostInterest = errors.New("lost interest")

func TestCancel(t *testing.T) {
	// At this rate, what is sent takes minutes.
	slow := registrytest.Options{UploadRate: 64 << 10}
	for _, tc := range []struct {
		name string
		blob string // that is under way at the time
		base registrytest.ImageOptions
		size int // of the model
	}{
		{"a layer that is streamed", "layer model", registrytest.ImageOptions{}, 16 << 20},
		{"a layer that was hashed", "layer files", registrytest.ImageOptions{}, 1 << 19},
		{"a layer of the base", "base layer", registrytest.ImageOptions{LayerSize: 2 << 20}, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, tc.base))
			to := registrytest.Start(t, slow)
			want, dir := old(t, to), t.TempDir()
			files := []string{"oci:" + dir + "/layout:1", "oci-archive:" + dir + "/oci.tar:1", "docker-archive:" + dir + "/docker.tar"}
			doBake(t, scorer(from.Host+"/team/base:1", files...))
			left := tree(t, dir)

			spec := scorer(from.Host+"/team/base:1", append(files, to.Host+"/team/scorer:1")...)
			spec.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: random(tc.size, 1)}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			transport := newTransport()
			remote := bake.NewRemote(bake.RemoteOptions{Transport: transport})
			before := runtime.NumGoroutine()
			var at time.Time
			var cancelled atomic.Bool
			_, err := bake.Bake(ctx, spec, remote, bake.Options{NoCheck: true, Progress: func(e bake.Event) {
				if strings.HasPrefix(e.Blob, tc.blob) && e.Moved > 0 && e.Done == "" && strings.HasPrefix(e.Target, to.Host) && cancelled.CompareAndSwap(false, true) {
					at = time.Now()
					cancel(errLostInterest)
				}
			}})
			if !cancelled.Load() {
				t.Fatalf("the bake ended before it was cancelled: %v", err)
			}
			if took := time.Since(at); took > 3*time.Second {
				t.Errorf("the bake ended after %v", took)
			}
			if !errors.Is(err, errLostInterest) {
				t.Errorf("got %v, want the cause", err)
			}
			transport.CloseIdleConnections()
			noGoroutines(t, before)
			unmoved(t, to, want)
			if diff := cmp.Diff(left, tree(t, dir)); diff != "" {
				t.Errorf("files (-before +after):\n%s", diff)
			}
		})
	}
}

// Wherever the bake is when its context ends, nothing is left half done.
func TestCancelAtEveryRequest(t *testing.T) {
	base := registrytest.BaseImage(t, registrytest.ImageOptions{})
	for k := 1; ; k++ {
		var cancel atomic.Pointer[context.CancelFunc]
		srv := startWith(t, registrytest.Options{Faults: func(n int, _ *http.Request) registrytest.Fault {
			if c := cancel.Load(); c != nil && n == k {
				(*c)()
				return registrytest.Fault{Status: 503, Header: http.Header{"Retry-After": {"100"}}}
			}
			return registrytest.Fault{}
		}}, base)
		want, dir := old(t, srv), t.TempDir()
		ctx, stop := context.WithCancel(t.Context())
		cancel.Store(&stop)
		srv.Reset()
		transport := newTransport()
		spec := scorer(srv.Host+"/team/base:1", "oci:"+dir+"/layout:1", "oci-archive:"+dir+"/oci.tar:1", srv.Host+"/team/scorer:1")
		_, err := bake.Bake(ctx, spec, bake.NewRemote(bake.RemoteOptions{Transport: transport}), bake.Options{NoCheck: true})
		cancel.Store(nil)
		stop()
		transport.CloseIdleConnections()
		if err == nil {
			if k < 8 {
				t.Errorf("the bake sent %d requests only", k-1)
			}
			return
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("request %d: got %v, want %v", k, err, context.Canceled)
		}
		unmoved(t, srv, want)
		for name := range tree(t, dir) {
			if strings.Contains(name, "/.") || strings.HasPrefix(name, ".") {
				t.Errorf("request %d: %s was left", k, name)
			}
		}
	}
}
