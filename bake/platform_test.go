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

// sharingIndex is an index of two platforms with the same layers.
func sharingIndex(t testing.TB) v1.ImageIndex {
	t.Helper()
	amd := registrytest.BaseImage(t, registrytest.ImageOptions{})
	arm := edit(t, amd, func(config, _ map[string]any) { config["architecture"] = "arm64" })
	return mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: amd, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
}
