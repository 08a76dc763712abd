// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// cancelLimit is how long what was under way may take to end when its context
// does. It takes 100 ms on an idle machine; the rest is for a busy one.
const cancelLimit = time.Second

var errLostInterest = errors.New("lost interest")

// A cancellation is something under way, and the moment at which its context
// ends: when a request arrives, which is then answered much later, or with the
// wish that it be sent again much later, or when a blob has moved by a megabyte.
type cancellation struct {
	name         string
	method, path string // of the request; the path's end or a part of it
	do           func(ctx context.Context, p *cancelled, remote *bake.Remote, progress func(bake.Event)) error
}

var cancellations = []cancellation{
	{"bake, reading the base", http.MethodGet, "/engine/manifests/v1", cancelledBake},
	{"bake, sending the config", http.MethodPost, "/scorer/blobs/uploads/", cancelledBake},
	{"bake, writing the tag", http.MethodPut, "/scorer/manifests/v1", cancelledBake},
	{"bake, in a large upload", "", "", func(ctx context.Context, p *cancelled, remote *bake.Remote, progress func(bake.Event)) error {
		spec := p.spec
		spec.FS = scorerFS(p.t, 16<<20)
		spec.Assets = []bake.Asset{{Path: "asset"}}
		spec.Compression = bake.Compression{Algorithm: bake.Gzip, Level: 1}
		spec.Tags = []string{p.there.Host + "/scorer:v1", "oci-archive:" + p.dir + "/archive.tar:v1"}
		_, err := bake.Bake(ctx, spec, remote, bake.Options{Progress: progress})
		return err
	}},
	{"fleet", http.MethodPut, "/manifests/v1", func(ctx context.Context, p *cancelled, remote *bake.Remote, progress func(bake.Event)) error {
		fleet := bake.NewFleet(remote, bake.Options{})
		var all errgroup.Group
		for _, name := range []string{"a", "b", "c", "d"} {
			spec := p.spec
			spec.Tags = []string{p.there.Host + "/" + name + ":v1"}
			all.Go(func() error {
				plan, err := bake.NewPlan(ctx, spec)
				if err == nil {
					_, err = fleet.Bake(ctx, plan, progress)
				}
				return err
			})
		}
		return errors.Join(all.Wait(), fleet.Close())
	}},
	{"promote, asking", http.MethodHead, "/prod/manifests/", cancelledPromotion},
	{"promote, reading a blob", http.MethodGet, "/large/blobs/", cancelledPromotion},
	{"promote, in a large blob", "", "", cancelledPromotion},
	{"promote, writing the tag", http.MethodPut, "/prod/manifests/v1", func(ctx context.Context, p *cancelled, remote *bake.Remote, progress func(bake.Event)) error {
		_, err := bake.Promote(ctx, p.here.Host+"/baked:v1", remote, bake.PromoteOptions{Progress: progress}, p.there.Host+"/prod:v1")
		return err
	}},
	{"rebase", http.MethodPut, "/rebased/manifests/v1", func(ctx context.Context, p *cancelled, remote *bake.Remote, _ func(bake.Event)) error {
		_, err := bake.Rebase(ctx, p.here.Host+"/baked:v1", remote, bake.RebaseOptions{Base: p.here.Host + "/engine:v2"}, p.there.Host+"/rebased:v1")
		return err
	}},
	{"verify", http.MethodGet, "/baked/blobs/", func(ctx context.Context, p *cancelled, remote *bake.Remote, _ func(bake.Event)) error {
		_, err := bake.Verify(ctx, p.here.Host+"/baked:v1", remote, bake.VerifyOptions{})
		return err
	}},
	{"extract", http.MethodGet, "/baked/blobs/", func(ctx context.Context, p *cancelled, remote *bake.Remote, _ func(bake.Event)) error {
		_, err := bake.Extract(ctx, p.here.Host+"/baked:v1", p.dir+"/out", remote, bake.ExtractOptions{})
		return err
	}},
}

func cancelledBake(ctx context.Context, p *cancelled, remote *bake.Remote, progress func(bake.Event)) error {
	spec := p.spec
	spec.Tags = []string{p.there.Host + "/scorer:v1"}
	_, err := bake.Bake(ctx, spec, remote, bake.Options{Progress: progress})
	return err
}

func cancelledPromotion(ctx context.Context, p *cancelled, remote *bake.Remote, progress func(bake.Event)) error {
	_, err := bake.Promote(ctx, p.here.Host+"/large:v1", remote, bake.PromoteOptions{Progress: progress}, p.there.Host+"/prod:v1")
	return err
}

// cancelled is a play between two registries of which the destination's takes
// uploads slowly, with a baked image and a large one.
type cancelled struct {
	*play
	t   testing.TB
	dir string
}

func newCancelled(t testing.TB, faults func(int, *http.Request) registrytest.Fault) *cancelled {
	t.Helper()
	p := &cancelled{play: newPlay(t, stage{platforms: 1}), t: t, dir: t.TempDir()}
	p.here = registrytest.Start(t, registrytest.Options{Faults: faults})
	p.there = registrytest.Start(t, registrytest.Options{Faults: faults, UploadRate: 1 << 20})
	p.here.Push(t, "engine:v1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
	p.spec.Base = p.here.Host + "/engine:v1"
	p.prepare(t)
	content := make([]byte, 16<<20)
	large, err := mutate.AppendLayers(registrytest.BaseImage(t, registrytest.ImageOptions{}), static.NewLayer(content, types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	p.here.Push(t, "large:v1", large)
	return p
}

// Whatever is under way when its context ends returns with the reason, and
// nothing of it runs on.
func TestCancelEndsGoroutines(t *testing.T) {
	for _, c := range cancellations {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			var at atomic.Pointer[time.Time]
			stop := func() {
				now := time.Now()
				if at.CompareAndSwap(nil, &now) {
					cancel(errLostInterest)
				}
			}
			var armed atomic.Bool
			p := newCancelled(t, func(_ int, r *http.Request) registrytest.Fault {
				if !armed.Load() || c.method == "" || r.Method != c.method || !strings.Contains(r.URL.Path, c.path) {
					return registrytest.Fault{}
				}
				stop()
				if r.Method != http.MethodGet && r.Method != http.MethodHead { // until a body is read, a server does not see that a client is gone
					return registrytest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"60"}}}
				}
				return registrytest.Fault{Delay: time.Minute}
			})
			armed.Store(true)
			transport := ggcr.DefaultTransport.(*http.Transport).Clone()
			before := registrytest.RunningGoroutines()
			err := c.do(ctx, p, bake.NewRemote(bake.RemoteOptions{Transport: transport}), func(e bake.Event) {
				if c.method == "" && e.Moved >= 1<<20 {
					stop()
				}
			})
			if at.Load() == nil {
				t.Fatalf("it ended before it was cancelled: %v", err)
			}
			returned := time.Since(*at.Load())
			transport.CloseIdleConnections()
			left, took := before.Since(cancelLimit - returned)
			if len(left) > 0 || returned > cancelLimit {
				t.Errorf("it returned after %v, and %d goroutines run after %v:\n%s", returned, len(left), returned+took, strings.Join(left, "\n\n"))
			}
			t.Logf("returned after %v, nothing ran after %v", returned, returned+took)
			if !errors.Is(err, errLostInterest) {
				t.Errorf("got %v, want the cause", err)
			}
		})
	}
}
