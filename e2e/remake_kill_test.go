// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// remakes are the verbs that make a new image of a baked one.
var remakes = []struct {
	name string
	do   func(p *play) func(context.Context, *bake.Remote, string) (*bake.Report, error)
}{
	{"rebase", func(p *play) func(context.Context, *bake.Remote, string) (*bake.Report, error) {
		return func(ctx context.Context, remote *bake.Remote, tag string) (*bake.Report, error) {
			return bake.Rebase(ctx, p.here.Host+"/baked:v1", remote, bake.RebaseOptions{Base: p.here.Host + "/engine:v2"}, tag)
		}
	}},
	{"rebind", func(p *play) func(context.Context, *bake.Remote, string) (*bake.Report, error) {
		return func(ctx context.Context, remote *bake.Remote, tag string) (*bake.Report, error) {
			opts := bake.RebindOptions{FS: p.spec.FS, Streams: map[int]string{1: "rest.json"}, ConnectPrefix: "https://prod:8001", NoCheck: true}
			return bake.Rebind(ctx, p.here.Host+"/baked:v1", remote, opts, tag)
		}
	}},
}

// The connection is cut at the k-th request of a rebase and of a rebind, for
// every k: what TestCutAtEveryRequest wants of a bake.
func TestCutRemakesAtEveryRequest(t *testing.T) {
	for _, verb := range remakes {
		for _, stage := range []stage{
			{name: "same registry", platforms: 1},
			{name: "other registry, two platforms", platforms: 2, otherRegistry: true},
			{name: "layout", platforms: 1, transport: "oci"},
		} {
			for _, cut := range cuts {
				if cut.fault.CutRequest > 0 && (!stage.sends(cut) || cut.method != "") {
					continue
				}
				for _, retries := range []int{0, 2} {
					if retries > 0 && stage.otherRegistry {
						continue // what is retried, and how, is the same; only it takes longer
					}
					t.Run(fmt.Sprintf("%s/%s/%s/%d retries", verb.name, stage.name, cut.name, retries), func(t *testing.T) {
						t.Parallel()
						p := newPlay(t, stage)
						p.prepare(t)
						p.remake = verb.do(p)
						want, requests := p.whole(t, cut)
						failures := 0
						for k := 1; k <= requests; k++ {
							if p.cutAt(t, k, cut, retries, want) != nil {
								failures++
							}
						}
						if retries == 0 && failures == 0 {
							t.Errorf("none of %d runs failed: were there cuts?", requests)
						}
					})
				}
			}
		}
	}
}

// prepare bakes an image to be made anew, and adds a further engine.
func (p *play) prepare(t testing.TB) {
	t.Helper()
	spec := p.spec
	spec.Tags = []string{p.here.Host + "/baked:v1"}
	if _, err := bake.Bake(t.Context(), spec, nil, bake.Options{}); err != nil {
		t.Fatal(err)
	}
	o := registrytest.ImageOptions{Layers: 3, Seed: 2}
	if p.platforms == 2 {
		p.here.Push(t, "engine:v2", registrytest.BaseIndexOf(t, o, "linux/amd64", "linux/arm64"))
	} else {
		p.here.Push(t, "engine:v2", registrytest.BaseImage(t, o))
	}
}
