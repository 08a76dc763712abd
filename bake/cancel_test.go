// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
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

// A stallingConn takes no more bytes once the connections of a test have sent
// what they may, until it is closed.
type stallingConn struct {
	net.Conn
	left    *atomic.Int64
	stalled func()
	closed  chan struct{}
	once    sync.Once
}

func (c *stallingConn) Write(p []byte) (int, error) {
	if c.left.Add(-int64(len(p))) < 0 {
		c.stalled()
		<-c.closed
		return 0, net.ErrClosed
	}
	return c.Conn.Write(p)
}

func (c *stallingConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// stallingTransport is a transport whose connections to host stall after n
// bytes in all.
func stallingTransport(host string, n int64, stalled func()) *http.Transport {
	transport := newTransport()
	var left atomic.Int64
	left.Store(n)
	var dialer net.Dialer
	transport.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, addr)
		if err != nil || addr != host {
			return conn, err
		}
		return &stallingConn{Conn: conn, left: &left, stalled: stalled, closed: make(chan struct{})}, nil
	}
	return transport
}

func TestCancel(t *testing.T) {
	for _, tc := range []struct {
		name string
		base registrytest.ImageOptions
		size int // of the model
	}{
		{"a layer that is streamed", registrytest.ImageOptions{}, 4 << 20},
		{"a layer that was hashed", registrytest.ImageOptions{}, 1 << 19},
		{"a layer of the base", registrytest.ImageOptions{LayerSize: 1 << 20}, 100},
	} {
		t.Run(tc.name, func(t *testing.T) {
			from := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, tc.base))
			to := registrytest.Start(t, registrytest.Options{})
			want, dir := old(t, to), t.TempDir()
			files := []string{"oci:" + dir + "/layout:1", "oci-archive:" + dir + "/oci.tar:1", "docker-archive:" + dir + "/docker.tar"}
			doBake(t, scorer(from.Host+"/team/base:1", files...))
			left := tree(t, dir)

			spec := scorer(from.Host+"/team/base:1", append(files, to.Host+"/team/scorer:1")...)
			spec.FS.(fstest.MapFS)["model.py3"] = &fstest.MapFile{Data: random(tc.size, 1)}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var at atomic.Pointer[time.Time]
			// Nothing else of these bakes is so large.
			transport := stallingTransport(to.Host, 200<<10, func() {
				now := time.Now()
				at.CompareAndSwap(nil, &now)
				cancel(errLostInterest)
			})
			remote := bake.NewRemote(bake.RemoteOptions{Transport: transport})
			before := runtime.NumGoroutine()
			_, err := bake.Bake(ctx, spec, remote, bake.Options{NoCheck: true})
			if at.Load() == nil {
				t.Fatalf("the bake ended before it was cancelled: %v", err)
			}
			if took := time.Since(*at.Load()); took > 3*time.Second {
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
	t.Parallel()
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
