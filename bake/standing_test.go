// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"testing"
	"testing/fstest"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A large file that the destination's image has is not sent again, even where
// nothing remembers it: its size in the image's record is a reason to hash it
// first.
func TestLargeFileThatTheDestinationHas(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	asset := func(content []byte) bake.Spec {
		spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
		spec.FS.(fstest.MapFS)["asset"] = &fstest.MapFile{Data: content}
		spec.Assets = []bake.Asset{{Path: "asset"}}
		return spec
	}
	const size = 3 << 20
	for _, tc := range []struct {
		name    string
		content []byte
		sent    bool
	}{
		{"first", random(size, 1), true},
		{"again", random(size, 1), false},
		{"of the same size", random(size, 2), true},
		{"of another size", random(size+1, 2), true},
	} {
		srv.Reset()
		doBake(t, asset(tc.content))
		if got := srv.UploadedBlobBytes(); (got > size) != tc.sent {
			t.Errorf("%s: %d bytes were sent", tc.name, got)
		}
	}
}
