// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"time"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// patchUpon is the patch that made img of old's image for its platform, found
// out by comparing the two: for an image that tells nothing of its bake. What
// the bake removed from its base is lost.
func (b *Base) patchUpon(img *baseImage, old *Base) (patch, error) {
	i := slices.IndexFunc(old.images, func(o *baseImage) bool {
		return satisfies(o.platform, img.platform) || satisfies(img.platform, o.platform)
	})
	if i < 0 {
		return patch{}, fmt.Errorf("the old base %s has no image for it: %w", old.location, ErrNotFound)
	}
	base := old.images[i]
	n := len(base.config.diffIDs)
	if n > len(img.config.diffIDs) || !slices.Equal(base.config.diffIDs, img.config.diffIDs[:n]) {
		return patch{}, fmt.Errorf("%w: %w: %s", ErrIntegrity, errNotBelow, old.location)
	}
	pt := patch{
		assetsDir:   DefaultAssetsDir,
		compression: Compression{}.String(),
		layerMode:   LayersAuto,
		env:         differing(envMap(base.config.env), envMap(img.config.env)),
		labels:      differing(base.config.labels, img.config.labels),
		annotations: differing(base.manifest.Annotations, img.manifest.Annotations),
	}
	delete(pt.labels, RecordLabel)
	delete(pt.annotations, baseNameAnnotation)
	delete(pt.annotations, baseDigestAnnotation)
	if bindings, _ := engine.Decode(img.config.env); bindings.Model != "" {
		pt.assetsDir = path.Dir(bindings.Model)
	}
	was := map[string]json.RawMessage{}
	for key, now := range img.config.config {
		if key == "Env" || key == "Labels" || sameJSON(now, base.config.config[key]) {
			continue
		}
		was[key] = null
		if old, ok := base.config.config[key]; ok {
			was[key] = old
		}
	}
	var err error
	if pt.settings, err = settingsOf(maps.Clone(img.config.config), was); err != nil {
		return pt, err
	}
	if img.config.created != base.config.created {
		pt.created, _ = time.Parse(time.RFC3339, img.config.created) // or else the new base's stays
	}
	for l := n; l < len(img.config.diffIDs); l++ {
		pt.layers = append(pt.layers, &bakedLayer{
			class: sharedClass,
			found: &foundLayer{img.manifest.Layers[l], img.config.diffIDs[l], b},
		})
	}
	if len(img.config.history) >= len(base.config.history) { // or else it was squashed
		pt.history = img.config.history[len(base.config.history):]
	}
	return pt, nil
}

// differing is the part of now that was does not have.
func differing(was, now map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range now {
		if old, ok := was[k]; !ok || old != v {
			out[k] = v
		}
	}
	return out
}

// sameJSON reports whether two members are equal, absent ones being null.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if len(a) > 0 && json.Unmarshal(a, &x) != nil || len(b) > 0 && json.Unmarshal(b, &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
