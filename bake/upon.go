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
		return patch{}, integrityf("%w: %s", errNotBelow, old.location)
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
		if key == "Env" || key == "Labels" || leftover[key] || sameJSON(now, base.config.config[key]) {
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

// leftover is the members of a config that tell of the build's container, not
// of the image (Docker image specification 1.2).
var leftover = map[string]bool{
	"Hostname": true, "Domainname": true, "Image": true, "OnBuild": true,
	"AttachStdin": true, "AttachStdout": true, "AttachStderr": true, "Tty": true, "OpenStdin": true, "StdinOnce": true,
}

// sameJSON reports whether two members are equal; one that says nothing is as
// good as none.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if len(a) > 0 && json.Unmarshal(a, &x) != nil || len(b) > 0 && json.Unmarshal(b, &y) != nil {
		return false
	}
	return saysNothing(x) && saysNothing(y) || reflect.DeepEqual(x, y)
}

// saysNothing reports whether v is null, or the zero value that Docker writes in
// its place.
func saysNothing(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
