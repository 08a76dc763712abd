// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"math/rand"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Of the base: its layers, the bytes of all in most rows, and its name.
const (
	baseLayers = 10
	baseSize   = 3_000_000
	baseRepo   = "base/engine"
	baseName   = baseRepo + ":ten"
)

// pushBase pushes a base of about size bytes to the registry at host.
func pushBase(ctx context.Context, host string, size int64) error {
	ref, err := name.NewTag(host + "/" + baseName)
	if err != nil {
		return err
	}
	img, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "amd64"})
	if err != nil {
		return err
	}
	for i := range int64(baseLayers) {
		l, err := random.Layer(size/baseLayers, types.DockerLayer, random.WithSource(rand.NewSource(i)))
		if err != nil {
			return err
		}
		if img, err = mutate.AppendLayers(img, l); err != nil {
			return err
		}
	}
	return remote.Write(ref, img, remote.WithContext(ctx))
}

// ownLayers is the size of the blobs that the image at repo has on top of the
// base's.
func ownLayers(ctx context.Context, image string) (int64, error) {
	ref, err := name.ParseReference(image)
	if err != nil {
		return 0, err
	}
	img, err := remote.Image(ref, remote.WithContext(ctx))
	if err != nil {
		return 0, err
	}
	m, err := img.Manifest()
	if err != nil {
		return 0, err
	}
	var size int64
	for _, l := range m.Layers[baseLayers:] {
		size += l.Size
	}
	return size, nil
}
