// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The annotations that name a base (OCI image-spec, annotations.md).
const (
	baseNameAnnotation   = "org.opencontainers.image.base.name"
	baseDigestAnnotation = "org.opencontainers.image.base.digest"
)

// An Image is a plan on a base: one image, or an index with an image for each
// platform. Its layers' digests are settled by the first pass over their
// files, which is that of Publish unless something asks for a digest before.
type Image struct {
	plan *Plan
	base *Base

	once      sync.Once
	assembled *assembled
	err       error
}

// assembled is an Image in bytes.
type assembled struct {
	desc   v1.Descriptor
	raw    []byte
	index  bool
	images []assembledImage
}

// assembledImage is one platform's image.
type assembledImage struct {
	base     *baseImage
	desc     v1.Descriptor
	raw      []byte
	config   []byte
	manifest v1.Manifest
}

// Build puts plan on base, or on those of its platforms that plan chooses. It
// reads and writes nothing; the error is a CheckError where the bake cannot be
// expressed at all, and ErrNotFound where the base lacks a platform.
func Build(base *Base, plan *Plan) (*Image, error) {
	if err := plan.possible(); err != nil {
		return nil, err
	}
	chosen := *base
	if err := chosen.chosen(plan.platforms); err != nil {
		return nil, &sideError{"base " + base.location.String(), err}
	}
	return &Image{plan: plan, base: &chosen}, nil
}

// isIndex reports whether the result is an index: where the base is one, unless
// a single platform of it was chosen.
func (i *Image) isIndex() bool {
	return i.base.index != nil && (len(i.base.images) > 1 || len(i.plan.platforms) == 0)
}

// assemble makes the manifests, after a pass over every layer that had none.
func (i *Image) assemble(ctx context.Context) (*assembled, error) {
	for _, l := range i.plan.layers {
		if err := l.Resolve(ctx); err != nil {
			return nil, fmt.Errorf("layer %s: %w", l.class, err)
		}
	}
	i.once.Do(func() { i.assembled, i.err = i.assembleResolved() })
	return i.assembled, i.err
}

func (i *Image) assembleResolved() (*assembled, error) {
	a := &assembled{index: i.isIndex()}
	for _, base := range i.base.images {
		img, err := i.assembleImage(base)
		if err != nil {
			return nil, fmt.Errorf("platform %s: %w", base.platform, err)
		}
		a.images = append(a.images, img)
	}
	if !a.index {
		a.desc, a.raw = a.images[0].desc, a.images[0].raw
		a.desc.Platform, a.desc.Annotations = nil, nil
		return a, nil
	}
	var err error
	a.desc, a.raw, err = i.assembleIndex(a.images)
	return a, err
}

// toOCI reports whether an image of media type t becomes an OCI image as a
// whole.
func (i *Image) toOCI(t types.MediaType) bool {
	docker := t == types.DockerManifestSchema2 || t == types.DockerManifestList
	return docker && i.plan.needsOCI() != ""
}

// needsOCI is the reason why the bake cannot have Docker's media types, or "".
func (p *Plan) needsOCI() string {
	switch {
	case p.spec.Compression.Algorithm == Zstd:
		return "Docker's have no zstd"
	case len(p.spec.Annotations) > 0:
		return "Docker's have no annotations"
	case p.toLayout:
		// Skopeo, Podman and Buildah find nothing else in a layout.
		return "an OCI image layout holds OCI images"
	}
	return ""
}

func (i *Image) assembleImage(base *baseImage) (assembledImage, error) {
	img := assembledImage{base: base}
	mediaType := base.desc.MediaType
	convert := i.toOCI(mediaType)
	if convert {
		mediaType = types.OCIManifestSchema1
	}
	oci := mediaType == types.OCIManifestSchema1

	config, err := i.plan.bakedConfig(base.config, i.record(base))
	if err != nil {
		return img, err
	}
	img.config = config
	configType := base.manifest.Config.MediaType
	if convert {
		configType = types.OCIConfigJSON
	}
	out, configDesc := object{}, object{}
	if err := json.Unmarshal(base.raw, &out); err != nil {
		return img, err
	}
	if err := out.get("config", &configDesc); err != nil {
		return img, err
	}
	configDigest, configSize, err := v1.SHA256(bytes.NewReader(config))
	if err != nil {
		return img, err
	}
	if err := configDesc.describe(v1.Descriptor{MediaType: configType, Digest: configDigest, Size: configSize}); err != nil {
		return img, err
	}
	var layers []json.RawMessage
	if err := out.get("layers", &layers); err != nil {
		return img, err
	}
	if layers, err = i.layerDescriptors(layers, oci, convert); err != nil {
		return img, err
	}
	annotations := maps.Clone(base.manifest.Annotations)
	if oci {
		annotations = i.annotate(annotations, base.desc.Digest)
	}
	// The base may be about another image; the bake is not.
	delete(out, "subject")
	if img.desc, img.raw, err = encodeManifest(out, mediaType, annotations, map[string]any{"config": configDesc, "layers": layers}); err != nil {
		return img, err
	}
	img.desc.Platform = base.desc.Platform
	img.desc.Annotations = base.desc.Annotations
	return img, json.Unmarshal(img.raw, &img.manifest)
}

// describe makes a descriptor of the base one of other content. What else it
// says stays, except for where the old content was.
func (o object) describe(desc v1.Descriptor) error {
	delete(o, "data")
	delete(o, "urls")
	if err := o.set("mediaType", desc.MediaType); err != nil {
		return err
	}
	if err := o.set("digest", desc.Digest); err != nil {
		return err
	}
	return o.set("size", desc.Size)
}

// encodeManifest is out with the given members, and its descriptor.
func encodeManifest(out object, mediaType types.MediaType, annotations map[string]string, members map[string]any) (v1.Descriptor, []byte, error) {
	members["mediaType"] = mediaType
	if len(annotations) > 0 {
		members["annotations"] = annotations
	}
	for k, v := range members {
		if err := out.set(k, v); err != nil {
			return v1.Descriptor{}, nil, err
		}
	}
	raw, err := marshal(out)
	if err != nil {
		return v1.Descriptor{}, nil, err
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	return v1.Descriptor{MediaType: mediaType, Digest: digest, Size: size}, raw, err
}

// ociTypes is what Docker's media types of layers are called in OCI.
var ociTypes = map[types.MediaType]types.MediaType{
	types.DockerLayer:             types.OCILayer,
	types.DockerUncompressedLayer: types.OCIUncompressedLayer,
	types.DockerForeignLayer:      types.OCIRestrictedLayer,
}

// layerDescriptors appends the bake's layers to the base's, whose descriptors
// stay as they are unless the whole image becomes an OCI image.
func (i *Image) layerDescriptors(base []json.RawMessage, oci, convert bool) ([]json.RawMessage, error) {
	layers := make([]json.RawMessage, 0, len(base)+len(i.plan.layers))
	for _, raw := range base {
		if convert {
			d := object{}
			if err := json.Unmarshal(raw, &d); err != nil {
				return nil, err
			}
			var t types.MediaType
			if err := d.get("mediaType", &t); err != nil {
				return nil, err
			}
			if to, ok := ociTypes[t]; ok {
				if err := d.set("mediaType", to); err != nil {
					return nil, err
				}
			}
			var err error
			if raw, err = marshal(d); err != nil {
				return nil, err
			}
		}
		layers = append(layers, raw)
	}
	for _, l := range i.plan.layers {
		d, err := l.descriptor(oci)
		if err != nil {
			return nil, err
		}
		raw, err := marshal(d)
		if err != nil {
			return nil, err
		}
		layers = append(layers, raw)
	}
	return layers, nil
}

// descriptor describes the layer, which must be resolved, in OCI's or Docker's
// words.
func (l *bakedLayer) descriptor(oci bool) (v1.Descriptor, error) {
	t, err := l.MediaType()
	if err != nil {
		return v1.Descriptor{}, err
	}
	if !oci {
		for docker, name := range ociTypes {
			if name == t {
				t = docker
			}
		}
	}
	digest, err := l.Digest()
	if err != nil {
		return v1.Descriptor{}, err
	}
	size, err := l.Size()
	return v1.Descriptor{MediaType: t, Digest: digest, Size: size}, err
}

// annotate adds the base's name and digest and the Spec's own annotations.
func (i *Image) annotate(annotations map[string]string, base v1.Hash) map[string]string {
	if annotations == nil {
		annotations = map[string]string{}
	}
	// A base in a file has no name, and the one that it may have inherited is
	// that of its own base.
	delete(annotations, baseNameAnnotation)
	if i.base.name != "" {
		annotations[baseNameAnnotation] = i.base.name
	}
	annotations[baseDigestAnnotation] = base.String()
	maps.Copy(annotations, i.plan.spec.Annotations)
	return annotations
}

// assembleIndex is the base's index with the baked images in place of the
// base's; each entry keeps its platform and annotations.
func (i *Image) assembleIndex(images []assembledImage) (v1.Descriptor, []byte, error) {
	out := object{}
	if err := json.Unmarshal(i.base.index, &out); err != nil {
		return v1.Descriptor{}, nil, err
	}
	mediaType := i.base.desc.MediaType
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
	var annotations map[string]string
	if err := out.get("annotations", &annotations); err != nil {
		return v1.Descriptor{}, nil, err
	}
	if mediaType == types.OCIImageIndex {
		annotations = i.annotate(annotations, i.base.desc.Digest)
	}
	delete(out, "subject")
	return encodeManifest(out, mediaType, annotations, map[string]any{"manifests": entries})
}

// record is the bake's record for one platform; the config's own changes are
// added when it is made.
func (i *Image) record(base *baseImage) Record {
	spec := i.plan.spec
	r := Record{
		Version: recordVersion,
		Base: RecordedBase{
			Name:      i.base.name,
			Digest:    base.desc.Digest,
			MediaType: base.desc.MediaType,
			Layers:    len(base.manifest.Layers),
			History:   len(base.config.history),
			ChainID:   base.config.chainID(),
		},
		Assets:      recordedFiles(i.plan.items, i.plan.layers),
		AssetsDir:   spec.AssetsDir,
		Compression: spec.Compression.String(),
		LayerMode:   spec.Layers,
	}
	for _, l := range i.plan.layers {
		r.Layers = append(r.Layers, l.class)
	}
	return r
}
