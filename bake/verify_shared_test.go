// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// Images of engines in a scripting language share layers between platforms.
func TestVerifySharedBaseLayers(t *testing.T) {
	amd64 := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3})
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64", "s390x"} {
		img := edit(t, amd64, func(config, _ map[string]any) { config["architecture"] = arch })
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: arch}}})
	}
	srv := startWith(t, registrytest.Options{}, index)
	doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	srv.Reset()
	if v := verified(t, srv.Host+"/team/scorer:1"); len(v.Platforms) != 3 {
		t.Errorf("it says %+v", v)
	}
	if n := srv.Count("HEAD", "/v2/team/scorer/blobs/*"); n != 3 {
		t.Errorf("looked for %d blobs, want each of 3 once", n)
	}
}
