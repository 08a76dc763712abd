// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"encoding/json"
	"maps"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

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
