// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"bytes"
	"encoding/json"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// assembleImage is base with its patch.
func (i *Image) assembleImage(base *baseImage) (assembledImage, error) {
	pt := i.changes.patch(base)
	img := assembledImage{base: base, patch: pt}
	record := pt.record(i.base, base)
	mediaType := base.desc.MediaType
	convert := i.toOCI(mediaType)
	if convert {
		mediaType = types.OCIManifestSchema1
	}
	oci := mediaType == types.OCIManifestSchema1
	annotations := base.manifest.Annotations
	if oci {
		annotations, record.Annotations = pt.annotate(annotations, i.base.name, base.desc.Digest)
	}
	if of := i.base.of; of != nil {
		record.Base.Index = &RecordedIndex{Digest: of.Digest, MediaType: of.MediaType}
		if oci {
			_, record.Base.Index.Annotations = pt.annotate(i.base.annotations, i.base.name, of.Digest)
		}
	}
	var err error
	if img.config, err = pt.configOn(base.config, &record); err != nil {
		return img, err
	}
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
	configDigest, configSize, err := v1.SHA256(bytes.NewReader(img.config))
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
	if convert {
		if layers, err = retyped(layers, true); err != nil {
			return img, err
		}
	}
	for _, l := range pt.layers {
		desc, err := l.descriptor(oci)
		if err != nil {
			return img, err
		}
		raw, err := marshal(desc)
		if err != nil {
			return img, err
		}
		layers = append(layers, raw)
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
	} else {
		delete(out, "annotations")
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

// layerType is a layer's media type t in OCI's or Docker's words.
func layerType(t types.MediaType, oci bool) types.MediaType {
	for docker, name := range ociTypes {
		switch {
		case oci && t == docker:
			return name
		case !oci && t == name:
			return docker
		}
	}
	return t
}

// retyped is the descriptors of layers with media types in OCI's or Docker's
// words, and all else as it was, byte for byte: a bake that is taken off leaves
// its base as it was.
func retyped(layers []json.RawMessage, oci bool) ([]json.RawMessage, error) {
	out := make([]json.RawMessage, len(layers))
	for i, raw := range layers {
		d := object{}
		if err := json.Unmarshal(raw, &d); err != nil {
			return nil, err
		}
		var t types.MediaType
		if err := d.get("mediaType", &t); err != nil {
			return nil, err
		}
		if t == "" {
			out[i] = raw
			continue
		}
		start, end, err := memberOf(raw, "mediaType")
		if err != nil {
			return nil, err
		}
		now, err := marshal(layerType(t, oci))
		if err != nil {
			return nil, err
		}
		out[i] = slices.Concat(raw[:start], now, raw[end:])
	}
	return out, nil
}

// memberOf is where the value of a member is in a JSON object that has it.
func memberOf(raw []byte, key string) (start, end int64, err error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	if _, err := dec.Token(); err != nil {
		return 0, 0, err
	}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return 0, 0, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return 0, 0, err
		}
		if name == key {
			end = dec.InputOffset()
			start = end - int64(len(value)) // of repetitions the last one counts
		}
	}
	return start, end, nil
}
