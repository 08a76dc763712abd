// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A registry that lists more than can belong to an image is refused before any
// of it is read.
func TestPromoteBounds(t *testing.T) {
	t.Parallel()
	from := registrytest.Start(t, registrytest.Options{})
	s := pushSigned(t, from, "team/scorer", "v1")
	listed := func(n int, size int64) []v1.Descriptor {
		all := make([]v1.Descriptor, n)
		for i := range all {
			all[i] = v1.Descriptor{MediaType: types.OCIManifestSchema1, Size: size, Digest: v1.Hash{Algorithm: "sha256", Hex: fmt.Sprintf("%064x", i+1)}}
		}
		return all
	}
	for _, tc := range []struct {
		name string
		end  string // of the path
		list []v1.Descriptor
		says string
	}{
		{"referrers", "/referrers/" + s.top.String(), listed(10_001, 100), "manifests of"},
		{"bytes of referrers", "/referrers/" + s.top.String(), listed(40, 8<<20), "bytes in all"},
		{"a large referrer", "/referrers/" + s.top.String(), listed(1, 8<<20+1), "8388609 bytes, which no manifest has"},
		{"children", "/manifests/v1", listed(10_001, 100), "10001 manifests"},
		{"bytes of children", "/manifests/v1", listed(33, 8<<20), "bytes in all"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to := registrytest.Start(t, registrytest.Options{})
			from.Reset()
			host := behind(t, from, map[string][]v1.Descriptor{tc.end: tc.list})
			_, err := bake.Promote(t.Context(), host+"/team/scorer:v1", nil, bake.PromoteOptions{}, to.Host+"/prod/scorer:v1")
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, which does not say %q", err, tc.says)
			}
			for _, r := range from.Requests() {
				if strings.Contains(r.Path, "/manifests/sha256:000") {
					t.Errorf("%s %s", r.Method, r.Path)
				}
			}
			if n := to.Count(http.MethodHead, "*") + len(writes(to)); n != 0 {
				t.Errorf("the destination had %d requests", n)
			}
		})
	}
}
