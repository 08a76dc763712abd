// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A patch is what a bake does to an engine image of one platform. One is made
// of a Plan, and one is read out of a baked image, to be put on another engine
// image.
type patch struct {
	layers      []*bakedLayer // resolved
	assets      []RecordedFile
	assetsDir   string
	compression string
	layerMode   LayerMode

	// env is the variables to set. Without a CONNECT_PREFIX in it, the base's
	// own stays, or else is the default.
	env         map[string]string
	labels      map[string]string
	annotations map[string]string
	settings    settingsChange
	created     time.Time // zero leaves the base's

	// history takes the place of the entries that are made of layers and env,
	// for a bake that this package did not make.
	history []json.RawMessage
}

// changes is where the patches of an Image come from.
type changes interface {
	// patch is the one for base, once every layer of bakedLayers is resolved.
	patch(base *baseImage) patch
	// bakedLayers is the layers of all patches, each once.
	bakedLayers() []*bakedLayer
	// needsOCI is the reason why the result cannot have Docker's media types, or
	// "".
	needsOCI() string
}

// patch is the Plan's patch, the same for every base.
func (p *Plan) patch(*baseImage) patch {
	return patch{
		layers:      p.layers,
		assets:      recordedFiles(p.items, p.layers),
		assetsDir:   p.spec.AssetsDir,
		compression: p.spec.Compression.String(),
		layerMode:   p.spec.Layers,
		env:         p.env(),
		labels:      p.spec.Labels,
		annotations: p.spec.Annotations,
		settings:    p.spec.Settings.change(),
		created:     p.spec.Created,
	}
}

func (p *Plan) bakedLayers() []*bakedLayer { return p.layers }

// needsOCI is the reason why the bake cannot have Docker's media types, or "".
func (p *Plan) needsOCI() string {
	switch {
	case p.spec.Compression.Algorithm == Zstd:
		return noZstd
	case len(p.spec.Annotations) > 0:
		return noAnnotations
	case p.spec.OCI:
		return askedFor
	case p.toLayout:
		return layoutsAreOCI
	}
	return ""
}

// The reasons why an image is not of Docker's media types.
const (
	noZstd        = "Docker's have no zstd"
	noAnnotations = "Docker's have no annotations"
	askedFor      = "as asked for"
	// Skopeo, Podman and Buildah find nothing else in a layout.
	layoutsAreOCI = "an OCI image layout holds OCI images"
)

// envOn is the variables that the patch sets on a base whose own
// CONNECT_PREFIX is prefix, each KEY=VALUE, those of the contract first.
func (pt patch) envOn(prefix string) []string {
	set := maps.Clone(pt.env)
	if _, given := set["CONNECT_PREFIX"]; !given && prefix == "" {
		set["CONNECT_PREFIX"] = DefaultConnectPrefix
	}
	var env []string
	for _, k := range contractVariables {
		if v, ok := set[k]; ok {
			env = append(env, k+"="+v)
			delete(set, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(set)) {
		env = append(env, k+"="+set[k])
	}
	return env
}

// record is the patch's record on base, but for what it does to the config and
// the manifest.
func (pt patch) record(base *Base, img *baseImage) Record {
	r := Record{
		Version: recordVersion,
		Base: RecordedBase{
			Name:      base.name,
			Digest:    img.desc.Digest,
			MediaType: img.desc.MediaType,
			Layers:    len(img.manifest.Layers),
			History:   len(img.config.history),
			ChainID:   chainID(img.config.diffIDs),
		},
		Assets:      pt.assets,
		AssetsDir:   pt.assetsDir,
		Compression: pt.compression,
		LayerMode:   pt.layerMode,
	}
	for _, l := range pt.layers {
		r.Layers = append(r.Layers, l.class)
	}
	return r
}

// annotate adds the base's name and digest and the patch's own annotations.
func (pt patch) annotate(annotations map[string]string, name string, digest v1.Hash) (map[string]string, RecordedChange) {
	set := map[string]string{baseNameAnnotation: name, baseDigestAnnotation: digest.String()}
	maps.Copy(set, pt.annotations)
	out, change := changeMap(annotations, set)
	if out[baseNameAnnotation] == "" {
		// A base in a file has no name, and the one that it may have inherited
		// is that of its own base.
		delete(out, baseNameAnnotation)
	}
	return out, change
}

// isDocker reports whether t is one of Docker's media types of an image or an
// index.
func isDocker(t types.MediaType) bool {
	return t == types.DockerManifestSchema2 || t == types.DockerManifestList
}
