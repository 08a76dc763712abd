// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Content is a blob to upload.
type Content struct {
	// Open opens the bytes, from the start, once for each attempt. What it
	// returns may be closed while it is read, and must then stop to read.
	Open func(ctx context.Context) (io.ReadCloser, error)
	// Descriptor is the blob's digest and size. It reports false while they
	// are unknown: then it is called again after the bytes were read to their
	// end, and must know.
	Descriptor func() (v1.Descriptor, bool)
}

// Bytes is the content that b holds.
func Bytes(b []byte) Content {
	digest, size, err := v1.SHA256(bytes.NewReader(b))
	return Content{
		Open: func(context.Context) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(b)), err
		},
		Descriptor: func() (v1.Descriptor, bool) { return v1.Descriptor{Digest: digest, Size: size}, true },
	}
}

// openSource opens c and marks its failures as the source's.
func openSource(ctx context.Context, c Content) (io.ReadCloser, error) {
	rc, err := c.Open(ctx)
	if err != nil {
		return nil, &sourceError{err}
	}
	return rc, nil
}
