// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"fmt"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// isAttestation reports whether an index entry is about another entry:
// BuildKit marks its attestations so, for a platform that does not exist.
func isAttestation(d v1.Descriptor) bool {
	if d.Annotations["vnd.docker.reference.type"] != "" {
		return true
	}
	return d.Platform != nil && d.Platform.OS == "unknown" && d.Platform.Architecture == "unknown"
}

// keepOnly drops the images that no platform asks for, and reports a platform
// that the base does not have.
func (b *Base) keepOnly(platforms []v1.Platform) error {
	var images []*baseImage
	for _, img := range b.images {
		if wanted(img.platform, platforms) {
			images = append(images, img)
		}
	}
	for _, p := range platforms {
		found := false
		for _, img := range images {
			found = found || satisfies(img.platform, p)
		}
		if !found {
			return fmt.Errorf("no image for platform %s: %w", p, ErrNotFound)
		}
	}
	if len(images) == 0 {
		return fmt.Errorf("no image in its index: %w", ErrNotFound)
	}
	b.images = images
	return nil
}

func wanted(p v1.Platform, platforms []v1.Platform) bool {
	for _, want := range platforms {
		if satisfies(p, want) {
			return true
		}
	}
	return len(platforms) == 0
}

// satisfies reports whether an image for p is one for want. arm64 and arm64/v8
// are the same.
func satisfies(p, want v1.Platform) bool {
	normal := func(p v1.Platform) v1.Platform {
		if p.Architecture == "arm64" && p.Variant == "v8" {
			p.Variant = ""
		}
		return p
	}
	return normal(p).Satisfies(normal(want))
}

func listPlatforms(index v1.IndexManifest) string {
	var names []string
	for _, d := range index.Manifests {
		if d.Platform != nil && !isAttestation(d) {
			names = append(names, d.Platform.String())
		}
	}
	if len(names) == 0 {
		return "none that is named"
	}
	return strings.Join(names, ", ")
}
