// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"fmt"
	"reflect"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// rebaked is the bake of an existing image, changed or not, to be put on a
// base.
type rebaked struct {
	platforms []v1.Platform
	patches   []patch // one for each of platforms
	toLayout  bool    // a destination is an OCI image layout
	of        *Base   // the image that is made anew
}

func (r *rebaked) patch(base *baseImage) patch {
	pt, _ := r.patchFor(base.platform) // Rebase has made sure that there is one
	return pt
}

// patchFor is the patch of the image for a platform, or the one that all of the
// image's platforms share.
func (r *rebaked) patchFor(p v1.Platform) (patch, error) {
	for i, have := range r.platforms {
		if satisfies(have, p) || satisfies(p, have) {
			return r.patches[i], nil
		}
	}
	for i := range r.patches {
		if !samePatch(r.patches[0], r.patches[i]) {
			return patch{}, fmt.Errorf("platform %s: %w: the image has none, and its platforms %s and %s differ in what is baked", p, ErrNotFound, r.platforms[0], r.platforms[i])
		}
	}
	return r.patches[0], nil
}

// samePatch reports whether two platforms were baked the same.
func samePatch(a, b patch) bool {
	if len(a.layers) != len(b.layers) || !a.created.Equal(b.created) {
		return false
	}
	for _, pair := range [][2]any{{a.env, b.env}, {a.labels, b.labels}, {a.annotations, b.annotations}, {a.settings, b.settings}} {
		if !reflect.DeepEqual(pair[0], pair[1]) {
			return false
		}
	}
	for i := range a.layers {
		x, err := a.layers[i].DiffID()
		y, err2 := b.layers[i].DiffID()
		if err != nil || err2 != nil || x != y {
			return false
		}
	}
	return true
}

func (r *rebaked) bakedLayers() []*bakedLayer {
	var layers []*bakedLayer
	seen := map[v1.Hash]bool{}
	made := map[*bakedLayer]bool{}
	for _, pt := range r.patches {
		for _, l := range pt.layers {
			switch {
			case l.found == nil && !made[l]:
				made[l] = true
			case l.found != nil && !seen[l.found.desc.Digest]:
				seen[l.found.desc.Digest] = true
			default:
				continue
			}
			layers = append(layers, l)
		}
	}
	return layers
}

func (r *rebaked) needsOCI() string {
	for _, pt := range r.patches {
		if len(pt.annotations) > 0 {
			return noAnnotations
		}
		for _, l := range pt.layers {
			if desc, err := l.descriptor(true); err == nil && isZstd(desc) {
				return noZstd
			}
		}
	}
	if r.toLayout {
		return layoutsAreOCI
	}
	return ""
}

// anyLayout reports whether one of the destinations is an OCI image layout.
func anyLayout(tags []string) (bool, error) {
	layout := false
	for _, tag := range tags {
		loc, err := parseDestination(tag, true)
		if err != nil {
			return false, err
		}
		layout = layout || loc.transport == transportOCI || loc.transport == transportOCIArchive
	}
	return layout, nil
}
