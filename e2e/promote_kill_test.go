// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// The connection is cut at the k-th request of a promotion, for every k. Then
// the destination's tag is what it was or the image, whole and with all that
// refers to it, and with retries it is always the image.
func TestCutPromotionAtEveryRequest(t *testing.T) {
	for _, stage := range []stage{
		{name: "same registry"},
		{name: "other registry", otherRegistry: true},
		{name: "layout", transport: "oci"},
		{name: "archived layout", transport: "oci-archive"},
	} {
		for _, cut := range cuts {
			if cut.fault.CutRequest > 0 && (!stage.sends(cut) || cut.method != "") {
				continue
			}
			for _, retries := range []int{-1, 2} {
				t.Run(fmt.Sprintf("%s/%s/%d retries", stage.name, cut.name, max(retries, 0)), func(t *testing.T) {
					t.Parallel()
					p := newPromotion(t, stage)
					p.arm(cut, 0)
					if err := p.promote(t, p.newDestination(t, "whole").location, retries); err != nil {
						t.Fatal(err)
					}
					requests, failures := p.arm(cut, 0), 0
					// With retries nothing is left to see but that they help.
					for k := 1; k <= requests; k += 1 + max(retries, 0) {
						if p.cutAt(t, k, cut, retries) != nil {
							failures++
						}
					}
					if requests == 0 || retries < 0 && failures == 0 {
						t.Errorf("none of %d promotions failed: were there cuts?", requests)
					}
				})
			}
		}
	}
}

// A promotion is a play in which an image with referrers is promoted.
type promotion struct {
	*play
	family family
	want   v1.Hash
}

func newPromotion(t testing.TB, s stage) *promotion {
	t.Helper()
	p := &promotion{play: &play{stage: s, old: registrytest.BaseImage(t, registrytest.ImageOptions{Seed: 1})}}
	var err error
	if p.oldDigest, err = p.old.Digest(); err != nil {
		t.Fatal(err)
	}
	p.here = registrytest.Start(t, registrytest.Options{Faults: p.next})
	p.there = p.here
	if s.otherRegistry {
		p.there = registrytest.Start(t, registrytest.Options{Faults: p.next})
	}
	p.family = pushFamily(t, p.here.Host+"/dev/scorer")
	p.want = fromRegistry(t, p.here.Host+"/dev/scorer:v1").digest
	return p
}

func (p *promotion) promote(t testing.TB, dst string, retries int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	transport := remote.DefaultTransport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	way := bake.NewRemote(bake.RemoteOptions{Retries: retries, Transport: transport})
	_, err := bake.Promote(ctx, p.here.Host+"/dev/scorer:v1", way, bake.PromoteOptions{}, dst)
	return err
}

// cutAt promotes, cuts the connection at the k-th request, and looks at what
// is there. It returns the promotion's error.
func (p *promotion) cutAt(t testing.TB, k int, c cut, retries int) error {
	t.Helper()
	d := p.newDestination(t, fmt.Sprintf("cut-%d", k))
	files := d.files(t)
	p.arm(c, k)
	err := p.promote(t, d.location, retries)
	p.arm(c, 0)
	got := d.look(t)
	switch {
	case got != p.want && got != p.oldDigest:
		t.Errorf("request %d: the destination holds %s, neither the old image %s nor the new %s; error %v", k, got, p.oldDigest, p.want, err)
	case got == p.oldDigest && !slices.Equal(d.files(t), files):
		t.Errorf("request %d: left behind beside the old image: %q, before %q", k, d.files(t), files)
	case err == nil && got != p.want:
		t.Errorf("request %d: no error, but the destination holds the old image", k)
	case err != nil && retries > 0:
		t.Errorf("request %d: in spite of retries: %v", k, err)
	}
	if got == p.want && d.file == "" {
		p.checkReferrers(t, k, d)
	}
	return err
}

// checkReferrers wants the tag to have moved after everything else.
func (p *promotion) checkReferrers(t testing.TB, k int, d *destination) {
	t.Helper()
	for subject, want := range p.family.referrers {
		index, err := remote.Referrers(parse(t, d.location).Context().Digest(subject.String()), remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if n := len(manifests(t, index)); n != len(want) {
			t.Errorf("request %d: the tag moved before %d of the referrers of %s", k, len(want)-n, subject)
		}
	}
}
