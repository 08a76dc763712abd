// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/gzip"
)

// ImageOptions describe a base image. Equal options make equal bytes.
type ImageOptions struct {
	Layers    int    // how many; zero is 2
	LayerSize int64  // bytes of random content in each, uncompressed; zero is 1 KiB
	Platform  string // OS/ARCH[/VARIANT]; empty is linux/amd64
	Docker    bool   // Docker's media types rather than OCI's
	Seed      uint64 // another seed makes other content

	Env         []string          // NAME=VALUE, after PATH and ENGINE_HOME
	Labels      map[string]string // added to the image's own
	Annotations map[string]string // of the manifest
	// Files are further files by their absolute path, in the last layer.
	Files map[string]string
}

// BaseImage is an image that looks like an engine: it has /fastscore and
// /engine, the user 1000, and a config with history, labels and fields that no
// specification knows.
func BaseImage(t testing.TB, o ImageOptions) v1.Image {
	t.Helper()
	img, err := baseImage(o.withDefaults())
	if err != nil {
		t.Fatalf("making a base image: %v", err)
	}
	return img
}

func (o ImageOptions) withDefaults() ImageOptions {
	if o.Layers == 0 {
		o.Layers = 2
	}
	if o.LayerSize == 0 {
		o.LayerSize = 1 << 10
	}
	if o.Platform == "" {
		o.Platform = "linux/amd64"
	}
	return o
}

func baseImage(o ImageOptions) (v1.Image, error) {
	b := &rawImage{byDigest: map[v1.Hash]blob{}}
	manifestType, configType, layerType := types.OCIManifestSchema1, types.OCIConfigJSON, types.OCILayer
	if o.Docker {
		manifestType, configType, layerType = types.DockerManifestSchema2, types.DockerConfigJSON, types.DockerLayer
	}
	b.mediaType = manifestType
	m := v1.Manifest{SchemaVersion: 2, MediaType: manifestType, Annotations: o.Annotations}
	var diffIDs []string
	for i := range o.Layers {
		data, diffID, err := layer(o, i)
		if err != nil {
			return nil, err
		}
		desc, err := b.add(data, layerType)
		if err != nil {
			return nil, err
		}
		m.Layers = append(m.Layers, desc)
		diffIDs = append(diffIDs, diffID)
	}
	var err error
	if b.config, err = engineConfig(o, diffIDs); err != nil {
		return nil, err
	}
	if m.Config, err = b.add(b.config, configType); err != nil {
		return nil, err
	}
	// Indented as Docker's are, so that a manifest that was encoded anew shows.
	if b.manifest, err = json.MarshalIndent(m, "", "   "); err != nil {
		return nil, err
	}
	return partial.CompressedToImage(b)
}

// layer is the gzip of a layer's tar and the tar's digest. The compressor is
// pinned, because the standard library's output changes with Go's version.
func layer(o ImageOptions, i int) (data []byte, diffID string, err error) {
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	if i == 0 {
		for _, dir := range []string{"fastscore/", "fastscore/lib/", "fastscore/log/", "tmp/"} {
			err = addEntry(w, tar.Header{Typeflag: tar.TypeDir, Name: dir, Mode: 0o755, Uid: 1000, Gid: 1000}, nil)
			if err != nil {
				return nil, "", err
			}
		}
		if err = addEntry(w, tar.Header{Name: "engine", Mode: 0o755}, []byte("#!/bin/sh\n")); err != nil {
			return nil, "", err
		}
	}
	content := make([]byte, o.LayerSize)
	var seed [32]byte
	copy(seed[:], fmt.Sprintf("%d/%d/%s", o.Seed, i, o.Platform))
	_, _ = rand.NewChaCha8(seed).Read(content) // never fails
	name := fmt.Sprintf("fastscore/lib/part-%d", i)
	if err = addEntry(w, tar.Header{Name: name, Mode: 0o644}, content); err != nil {
		return nil, "", err
	}
	if i == o.Layers-1 {
		for _, path := range slices.Sorted(maps.Keys(o.Files)) {
			header := tar.Header{Name: strings.TrimPrefix(path, "/"), Mode: 0o644}
			if err = addEntry(w, header, []byte(o.Files[path])); err != nil {
				return nil, "", err
			}
		}
	}
	if err = w.Close(); err != nil {
		return nil, "", err
	}
	hash, _, err := v1.SHA256(bytes.NewReader(plain.Bytes()))
	if err != nil {
		return nil, "", err
	}
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err = z.Write(plain.Bytes()); err != nil {
		return nil, "", err
	}
	if err = z.Close(); err != nil {
		return nil, "", err
	}
	return out.Bytes(), hash.String(), nil
}

func addEntry(w *tar.Writer, h tar.Header, content []byte) error {
	h.Size = int64(len(content))
	h.Format = tar.FormatPAX
	if err := w.WriteHeader(&h); err != nil {
		return err
	}
	_, err := w.Write(content)
	return err
}

// A rawImage is an image whose bytes are there already.
type rawImage struct {
	mediaType        types.MediaType
	config, manifest []byte
	byDigest         map[v1.Hash]blob
}

func (b *rawImage) add(data []byte, mediaType types.MediaType) (v1.Descriptor, error) {
	hash, size, err := v1.SHA256(bytes.NewReader(data))
	if err != nil {
		return v1.Descriptor{}, err
	}
	b.byDigest[hash] = blob{data: data, hash: hash, mediaType: mediaType}
	return v1.Descriptor{MediaType: mediaType, Size: size, Digest: hash}, nil
}

func (b *rawImage) MediaType() (types.MediaType, error) { return b.mediaType, nil }
func (b *rawImage) RawConfigFile() ([]byte, error)      { return b.config, nil }
func (b *rawImage) RawManifest() ([]byte, error)        { return b.manifest, nil }

func (b *rawImage) LayerByDigest(h v1.Hash) (partial.CompressedLayer, error) {
	l, ok := b.byDigest[h]
	if !ok {
		return nil, fmt.Errorf("no layer %s", h)
	}
	return l, nil
}

type blob struct {
	data      []byte
	hash      v1.Hash
	mediaType types.MediaType
}

func (b blob) Digest() (v1.Hash, error)            { return b.hash, nil }
func (b blob) Size() (int64, error)                { return int64(len(b.data)), nil }
func (b blob) MediaType() (types.MediaType, error) { return b.mediaType, nil }
func (b blob) Compressed() (io.ReadCloser, error)  { return io.NopCloser(bytes.NewReader(b.data)), nil }
