// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// errNothingBaked is for an image without any of the engine contract's
// variables.
func errNothingBaked() error {
	return &absentError{"nothing is baked into it: its environment has none of " + strings.Join(contractVariables, ", ")}
}

// absentError is an ErrNotFound that reads as itself.
type absentError struct{ text string }

func (e *absentError) Error() string        { return e.text }
func (e *absentError) Is(target error) bool { return target == ErrNotFound }

// A bakedImage is one platform of a baked image, taken apart.
type bakedImage struct {
	*baseImage
	record *Record
	base   *baseImage // as it was before the bake; its size is not known
	patch  patch
}

// unbake takes a baked image of b apart by its record, which fits.
func (b *Base) unbake(img *baseImage, r *Record) (*bakedImage, error) {
	baked := &bakedImage{baseImage: img, record: r}
	config, err := unbakedConfig(img.config, r)
	if err != nil {
		return nil, fmt.Errorf("taking off the bake: %w", err)
	}
	raw, manifest, err := unbakedManifest(img, r)
	if err != nil {
		return nil, fmt.Errorf("taking off the bake: %w", err)
	}
	baked.base = &baseImage{
		desc: v1.Descriptor{
			MediaType: r.Base.MediaType, Digest: r.Base.Digest,
			Platform: img.desc.Platform, Annotations: img.desc.Annotations,
		},
		entry: img.entry, platform: img.platform,
		raw: raw, manifest: manifest, config: config,
	}
	baked.patch, err = b.patchOf(img, r)
	return baked, err
}

// unbakedConfig is a config as it was before the bake.
func unbakedConfig(c *baseConfig, r *Record) (*baseConfig, error) {
	out := &baseConfig{
		raw:     maps.Clone(c.raw),
		config:  maps.Clone(c.config),
		env:     unsetEnv(c.env, r.Env),
		labels:  r.Labels.takenOff(c.labels),
		created: c.created,
		history: c.history[:r.Base.History],
		diffIDs: c.diffIDs[:r.Base.Layers],
	}
	if old, nested := r.Labels.Replaced[RecordLabel]; nested {
		out.labels[RecordLabel] = old
	} else {
		delete(out.labels, RecordLabel)
	}
	if _, err := settingsOf(out.config, r.Settings); err != nil {
		return nil, err
	}
	if r.Created != nil {
		out.created = *r.Created
	}
	if out.created == "" {
		delete(out.raw, "created")
	} else if err := out.raw.set("created", out.created); err != nil {
		return nil, err
	}
	if len(out.labels) == 0 {
		out.labels = nil
		delete(out.config, "Labels")
	} else if err := out.config.set("Labels", out.labels); err != nil {
		return nil, err
	}
	for _, s := range []struct {
		in  object
		key string
		v   any
	}{
		{out.config, "Env", out.env},
		{out.raw, "config", out.config},
		{out.raw, "history", out.history},
		{out.raw, "rootfs", v1.RootFS{Type: "layers", DiffIDs: out.diffIDs}},
	} {
		if err := s.in.set(s.key, s.v); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// unbakedManifest is a manifest as it was before the bake, but for its config's
// descriptor.
func unbakedManifest(img *baseImage, r *Record) ([]byte, *v1.Manifest, error) {
	out := object{}
	var layers []json.RawMessage
	if err := json.Unmarshal(img.raw, &out); err != nil {
		return nil, nil, err
	}
	if err := out.get("layers", &layers); err != nil {
		return nil, nil, err
	}
	layers = layers[:r.Base.Layers]
	config := img.manifest.Config.MediaType
	if isDocker(r.Base.MediaType) && !isDocker(img.desc.MediaType) {
		// The bake made an OCI image of it.
		var err error
		if layers, err = retyped(layers, false); err != nil {
			return nil, nil, err
		}
		config = types.DockerConfigJSON
	}
	members := map[string]any{"layers": layers}
	desc := object{}
	if err := out.get("config", &desc); err != nil {
		return nil, nil, err
	}
	if err := desc.set("mediaType", config); err != nil {
		return nil, nil, err
	}
	members["config"] = desc
	_, raw, err := encodeManifest(out, r.Base.MediaType, r.Annotations.takenOff(img.manifest.Annotations), members)
	if err != nil {
		return nil, nil, err
	}
	manifest := &v1.Manifest{}
	return raw, manifest, json.Unmarshal(raw, manifest)
}

// patchOf is the patch that made img of its base.
func (b *Base) patchOf(img *baseImage, r *Record) (patch, error) {
	pt := patch{
		assets: r.Assets, assetsDir: r.AssetsDir, compression: r.Compression, layerMode: r.LayerMode,
		env: map[string]string{}, labels: map[string]string{}, annotations: map[string]string{},
	}
	env := envMap(img.config.env)
	for _, k := range r.Env.Set {
		pt.env[k] = env[k]
	}
	for _, k := range r.Labels.Set {
		pt.labels[k] = img.config.labels[k]
	}
	for _, k := range r.Annotations.Set {
		if k != baseNameAnnotation && k != baseDigestAnnotation {
			pt.annotations[k] = img.manifest.Annotations[k]
		}
	}
	var err error
	if pt.settings, err = settingsOf(maps.Clone(img.config.config), r.Settings); err != nil {
		return pt, err
	}
	if r.Created != nil {
		if pt.created, err = time.Parse(time.RFC3339, img.config.created); err != nil {
			return pt, err
		}
	}
	var histories []string
	for _, raw := range img.config.history[r.Base.History:] {
		var h historyEntry
		if err := json.Unmarshal(raw, &h); err != nil {
			return pt, err
		}
		if !h.EmptyLayer {
			histories = append(histories, h.CreatedBy)
		}
	}
	for i, class := range r.Layers {
		n := r.Base.Layers + i
		l := &bakedLayer{class: class, found: &foundLayer{img.manifest.Layers[n], img.config.diffIDs[n], b}}
		if i < len(histories) {
			l.createdBy = histories[i]
		}
		pt.layers = append(pt.layers, l)
	}
	return pt, nil
}

// unbaked is b without the bake that its images' records tell of, and true, or
// b itself where there is none that can be taken off.
func (b *Base) unbaked() (*Base, bool, error) {
	out := *b
	out.images = nil
	for _, img := range b.images {
		r, err := recordOf(img.config)
		switch {
		case errors.Is(err, errUponBake) || err == nil && r == nil:
			return b, false, nil
		case err != nil:
			return nil, false, err
		}
		baked, err := b.unbake(img, r)
		if err != nil {
			return nil, false, err
		}
		out.images = append(out.images, baked.base)
		out.name, out.desc = r.Base.Name, baked.base.desc
		out.of = nil
		if index := r.Base.Index; index != nil {
			out.of = &v1.Descriptor{MediaType: index.MediaType, Digest: index.Digest}
			out.desc = *out.of
			out.annotations = index.Annotations.takenOff(b.annotations)
			if b.index == nil {
				out.annotations = index.Annotations.Replaced
			}
		}
	}
	return &out, true, nil
}
