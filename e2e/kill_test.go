// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A cut is a way to lose a connection.
type cut struct {
	name   string
	fault  registrytest.Fault
	method string // of the requests that it happens to; empty is any
}

var cuts = []cut{
	{name: "before", fault: registrytest.Fault{Before: true}},
	{name: "after", fault: registrytest.Fault{After: true}},
	{name: "within the request", fault: registrytest.Fault{CutRequest: 100}},
	{name: "late in a streamed request", fault: registrytest.Fault{CutRequest: 1 << 19}, method: http.MethodPatch},
	// Only what is read has a response that is long enough.
	{name: "within the response", fault: registrytest.Fault{CutResponse: 100}, method: http.MethodGet},
}

// stages are the bakes whose connections are cut.
var stages = []stage{
	{name: "same registry", platforms: 1},
	{name: "other registry", platforms: 1, otherRegistry: true},
	{name: "two platforms", platforms: 2, otherRegistry: true},
	{name: "streamed layer", platforms: 1, asset: 1<<20 + 1<<10},
	{name: "layout", platforms: 1, transport: "oci"},
	{name: "archived layout", platforms: 1, transport: "oci-archive"},
}

// A stage is a bake onto a base in a registry that replaces an image.
type stage struct {
	name          string
	platforms     int
	otherRegistry bool   // the destination is not in the base's
	transport     string // of a destination in a file
	asset         int    // size of a further file of the bake, in bytes
}

// sends reports whether the bake has a request whose body can be cut so.
func (s stage) sends(c cut) bool {
	return s.transport == "" && (c.method != http.MethodPatch || s.asset > 0)
}

// The connection is cut at the k-th request of a bake, for every k. Then the
// destination holds what it held before or the new image, whole, and with
// retries it is always the new one.
func TestCutAtEveryRequest(t *testing.T) {
	for _, stage := range stages {
		for _, cut := range cuts {
			if cut.fault.CutRequest > 0 && !stage.sends(cut) {
				continue
			}
			for _, retries := range []int{0, 2} {
				t.Run(fmt.Sprintf("%s/%s/%d retries", stage.name, cut.name, retries), func(t *testing.T) {
					t.Parallel()
					p := newPlay(t, stage)
					want, requests := p.whole(t, cut)
					failures := 0
					for k := 1; k <= requests; k++ {
						if p.cutAt(t, k, cut, retries, want) != nil {
							failures++
						}
					}
					if retries == 0 && failures == 0 {
						t.Errorf("none of %d bakes failed: were there cuts?", requests)
					}
				})
			}
		}
	}
}

// A play is a stage with its registries.
type play struct {
	stage
	spec      bake.Spec
	here      *registrytest.Server // has the base
	there     *registrytest.Server // the destination's, if that is in a registry
	old       v1.Image             // at the destination before the bake
	oldDigest v1.Hash
	remake    func(context.Context, *bake.Remote, string) (*bake.Report, error) // instead of a bake

	mu       sync.Mutex
	cut      cut
	at       int // the request that the cut happens to; none where zero
	requests int // of the cut's method, since the bake began
}

func newPlay(t testing.TB, s stage) *play {
	t.Helper()
	p := &play{stage: s, old: registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 1})}
	var err error
	if p.oldDigest, err = p.old.Digest(); err != nil {
		t.Fatal(err)
	}
	p.here = registrytest.Start(t, registrytest.Options{Faults: p.next})
	p.there = p.here
	if s.otherRegistry {
		p.there = registrytest.Start(t, registrytest.Options{Faults: p.next})
	}
	if s.platforms == 2 {
		p.here.Push(t, "engine:v1", registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	} else {
		p.here.Push(t, "engine:v1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
	}
	p.spec = bake.Spec{
		FS:      scorerFS(t, s.asset),
		Base:    p.here.Host + "/engine:v1",
		Model:   "model.py3",
		Schemas: map[string]string{"inputsch": "input.avsc", "outputsch": "output.avsc"},
		Streams: map[int]string{0: "rest.json", 1: "kafka.json"},
	}
	if s.asset > 0 {
		p.spec.Assets = []bake.Asset{{Path: "asset"}}
		p.spec.Compression = bake.Compression{Algorithm: bake.Gzip, Level: 1} // more would only take time
	}
	return p
}

// scorerFS is the example's files and one with random content.
func scorerFS(t testing.TB, size int) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	for _, name := range []string{"model.py3", "input.avsc", "output.avsc", "rest.json", "kafka.json"} {
		content, err := os.ReadFile(filepath.Join(scorer, name))
		if err != nil {
			t.Fatal(err)
		}
		files[name] = &fstest.MapFile{Data: content, Mode: 0o644}
	}
	asset := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(asset) // never fails
	files["asset"] = &fstest.MapFile{Data: asset, Mode: 0o644}
	return files
}

// next decides what happens to the next request, of whichever registry.
func (p *play) next(_ int, r *http.Request) registrytest.Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut.method != "" && p.cut.method != r.Method {
		return registrytest.Fault{}
	}
	if p.cut.fault.CutResponse > 0 && r.URL.Path == "/v2/" {
		return registrytest.Fault{} // has no body
	}
	p.requests++
	if p.requests != p.at {
		return registrytest.Fault{}
	}
	return p.cut.fault
}

// arm makes the k-th request from now on fail; none where k is zero. It
// returns how many there were since it was last called.
func (p *play) arm(c cut, k int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.requests
	p.cut, p.at, p.requests = c, k, 0
	return n
}

// whole bakes without a cut and returns the new image's digest and how many
// requests there were that the cut can happen to.
func (p *play) whole(t testing.TB, c cut) (v1.Hash, int) {
	t.Helper()
	d := p.newDestination(t, "whole")
	p.arm(c, 0)
	report, err := p.bake(t, d, 0)
	requests := p.arm(c, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.look(t); got != report.Digest || got == p.oldDigest || requests == 0 {
		t.Fatalf("without a cut: %s after %d requests, want the new %s", got, requests, report.Digest)
	}
	return report.Digest, requests
}

// cutAt bakes, cuts the connection at the k-th request, and looks at what is
// there. It returns the bake's error.
func (p *play) cutAt(t testing.TB, k int, c cut, retries int, want v1.Hash) error {
	t.Helper()
	d := p.newDestination(t, fmt.Sprintf("cut-%d", k))
	files := d.files(t)
	p.arm(c, k)
	_, err := p.bake(t, d, retries)
	p.arm(c, 0)
	before := t.Failed()
	got := d.look(t)
	if t.Failed() && !before {
		t.Errorf("request %d: that is what its cut left behind", k)
	}
	switch {
	case got != want && got != p.oldDigest:
		t.Errorf("request %d: the destination holds %s, neither the old image %s nor the new %s; error %v", k, got, p.oldDigest, want, err)
	case got == p.oldDigest && !slices.Equal(d.files(t), files):
		t.Errorf("request %d: left behind beside the old image: %q, before %q", k, d.files(t), files)
	case err == nil && got != want:
		t.Errorf("request %d: no error, but the destination holds the old image", k)
	case err != nil && retries > 0:
		t.Errorf("request %d: in spite of retries: %v", k, err)
	}
	return err
}

func (p *play) bake(t testing.TB, d *destination, retries int) (*bake.Report, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	transport := ggcr.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	if retries == 0 {
		retries = -1 // 0 is the default
	}
	remote := bake.NewRemote(bake.RemoteOptions{Retries: retries, Transport: transport})
	if p.remake != nil {
		return p.remake(ctx, remote, d.location)
	}
	spec := p.spec
	spec.Tags = []string{d.location}
	return bake.Bake(ctx, spec, remote, bake.Options{})
}
