// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// assembleIndex is the base's index with the baked images in place of the
// base's; each entry keeps its platform and annotations.
func (i *Image) assembleIndex(images []assembledImage) (v1.Descriptor, []byte, error) {
	out := object{}
	if err := json.Unmarshal(i.base.index, &out); err != nil {
		return v1.Descriptor{}, nil, err
	}
	mediaType := i.base.of.MediaType
	if i.toOCI(mediaType) {
		mediaType = types.OCIImageIndex
	}
	entries := make([]object, len(images))
	for n, img := range images {
		entries[n] = maps.Clone(img.base.entry)
		if err := entries[n].describe(img.desc); err != nil {
			return v1.Descriptor{}, nil, err
		}
	}
	annotations := i.base.annotations
	if mediaType == types.OCIImageIndex {
		annotations, _ = images[0].patch.annotate(annotations, i.base.name, i.base.of.Digest)
	}
	delete(out, "subject")
	return encodeManifest(out, mediaType, annotations, map[string]any{"manifests": entries})
}
