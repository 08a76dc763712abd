// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// behind is the host of a registry that answers some paths, by their ends, its
// own way: with an index of what is listed there.
func behind(t testing.TB, srv *registrytest.Server, lists map[string][]v1.Descriptor) string {
	t.Helper()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for end, list := range lists {
			if !strings.HasSuffix(r.URL.Path, end) {
				continue
			}
			w.Header().Set("Content-Type", string(types.OCIImageIndex))
			index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: append([]v1.Descriptor{}, list...)}
			if err := json.NewEncoder(w).Encode(index); err != nil {
				t.Error(err)
			}
			return
		}
		srv.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	return proxy.Listener.Addr().String()
}

// A registry that lists what does not refer to a manifest is not believed.
func TestPromoteLies(t *testing.T) {
	t.Parallel()
	from := registrytest.Start(t, registrytest.Options{})
	s := pushSigned(t, from, "team/scorer", "v1")
	top := *descriptorOf(t, s.index)
	sbom := *descriptorOf(t, must[v1.Image](t)(pullAny(t, from.Host+"/team/scorer@"+s.referrers[s.top][0].String())))
	first := *descriptorOf(t, must[v1.Image](t)(s.index.Image(s.images[0])))
	list := func(subject v1.Hash) string { return "/referrers/" + subject.String() }
	resized := sbom
	resized.Size++
	for _, tc := range []struct {
		name  string
		lists map[string][]v1.Descriptor
		says  string
	}{
		{"no subject", map[string][]v1.Descriptor{list(s.top): {first}}, "has no subject"},
		{"another subject", map[string][]v1.Descriptor{list(s.images[0]): {sbom}}, "its subject is"},
		{"itself", map[string][]v1.Descriptor{list(s.top): {top}}, "lead back"},
		{"a cycle", map[string][]v1.Descriptor{list(sbom.Digest): {top}}, "lead back"},
		{"another size", map[string][]v1.Descriptor{list(s.top): {resized}}, "bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := registrytest.Start(t, registrytest.Options{})
			_, err := bake.Promote(t.Context(), behind(t, from, tc.lists)+"/team/scorer:v1", nil, bake.PromoteOptions{}, to.Host+"/prod/scorer:v1")
			if !errors.Is(err, bake.ErrIntegrity) || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want an integrity error that says %q", err, tc.says)
			}
			if got := writes(to); len(got) > 0 {
				t.Errorf("written: %q", got)
			}
		})
	}
}

// A registry that learned the referrers API knows nothing yet of what was
// tagged before.
func TestPromoteFromUpgraded(t *testing.T) {
	t.Parallel()
	from := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: true}})
	to := registrytest.Start(t, registrytest.Options{})
	s := pushSigned(t, from, "team/scorer", "v1")
	lists := map[string][]v1.Descriptor{}
	for subject := range s.referrers {
		lists["/referrers/"+subject.String()] = nil
	}
	promote(t, bake.PromoteOptions{}, behind(t, from, lists)+"/team/scorer:v1", to.Host+"/prod/scorer:v1")
	checkSigned(t, to.Host, "prod/scorer", "v1", s)
}

// What others attached at the destination stays listed.
func TestPromoteKeepsOthers(t *testing.T) {
	t.Parallel()
	for _, noAPI := range []bool{false, true} {
		from := registrytest.Start(t, registrytest.Options{})
		to := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: noAPI}})
		s := pushSigned(t, from, "team/scorer", "v1")
		to.Push(t, "prod/scorer:v1", s.index)
		own := artifact(t, descriptorOf(t, s.index), "application/vnd.example.approval", "approved")
		to.Push(t, "prod/scorer@"+digestOf(t, own).String(), own)
		promote(t, bake.PromoteOptions{}, from.Host+"/team/scorer:v1", to.Host+"/prod/scorer:v1")
		s.referrers[s.top] = append(s.referrers[s.top], digestOf(t, own))
		checkSigned(t, to.Host, "prod/scorer", "v1", s)
	}
}
