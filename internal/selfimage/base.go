// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	ggcrlayout "github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
)

// A base is what the program is put on.
type base struct {
	image  v1.Image // an OCI image
	name   string   // as it was given; empty for nothing
	digest v1.Hash  // of what has the name, for the platform
}

// openBase copies the image for p into the layout dir and opens it there. The
// base without a name is an image without layers.
func openBase(ctx context.Context, remote *bake.Remote, name string, p v1.Platform, dir string) (base, error) {
	if name == "" {
		return base{image: inOCI(empty.Image)}, nil
	}
	copied, err := bake.Promote(ctx, name, remote, bake.PromoteOptions{Platform: p.String(), NoReferrers: true},
		"oci:"+dir+":base-"+p.Architecture)
	if err != nil {
		return base{}, err
	}
	img, err := ggcrlayout.Path(dir).Image(copied.Digest)
	if err != nil {
		return base{}, err
	}
	return base{inOCI(img), name, copied.Digest}, nil
}

// inOCI gives an image with Docker's media types OCI's, which are those of the
// layers that are added.
func inOCI(img v1.Image) v1.Image {
	return mutate.ConfigMediaType(mutate.MediaType(img, types.OCIManifestSchema1), types.OCIConfigJSON)
}
