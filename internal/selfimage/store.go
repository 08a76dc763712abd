// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/partial"

	"github.com/crane-bake/crane-bake/internal/layout"
)

const (
	madeTag   = "image" // of the image in the layout
	algorithm = "sha256"
)

// store writes the index and its images into the layout dir, which may have
// the base's blobs.
func store(ctx context.Context, index v1.IndexManifest, images []v1.Image, dir string) error {
	w, err := layout.CreateDir(dir, layout.NewChecks())
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, img := range images {
		layers, err := img.Layers()
		if err != nil {
			return err
		}
		for _, l := range layers {
			if err := storeLayer(ctx, w, l); err != nil {
				return err
			}
		}
		config, err := img.RawConfigFile()
		if err != nil {
			return err
		}
		manifest, err := img.RawManifest()
		if err != nil {
			return err
		}
		for _, content := range [][]byte{config, manifest} {
			if _, err := w.Put(ctx, bytes.NewReader(content), algorithm); err != nil {
				return err
			}
		}
	}
	content, err := json.Marshal(index)
	if err != nil {
		return err
	}
	top, err := w.Put(ctx, bytes.NewReader(content), algorithm)
	if err != nil {
		return err
	}
	top.MediaType = index.MediaType
	return w.Commit(ctx, layout.Image{Top: top}, []string{madeTag})
}

// storeLayer writes a layer that is not there yet.
func storeLayer(ctx context.Context, w layout.Writer, l v1.Layer) (err error) {
	desc, err := partial.Descriptor(l)
	if err != nil {
		return err
	}
	if there, err := w.Has(ctx, *desc); err != nil || there {
		return err
	}
	rc, err := l.Compressed()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rc.Close()) }()
	got, err := w.Put(ctx, rc, algorithm)
	if err == nil && got.Digest != desc.Digest {
		err = fmt.Errorf("layer %s came out as %s", desc.Digest, got.Digest)
	}
	return err
}
