// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// BlobSize is the size of a blob in bytes as the registry tells it, or -1 where
// it does not. The blob is not read. ErrNotFound is for one that is not there.
func (r *Repository) BlobSize(ctx context.Context, digest v1.Hash) (int64, error) {
	size := int64(-1)
	err := r.host.client.retry(ctx, func(ctx context.Context) error {
		res, err := r.headBlob(ctx, digest, http.StatusOK)
		if err != nil {
			return err
		}
		if res.ContentLength > 0 { // some answer 0 to HEAD, whatever the size
			size = res.ContentLength
		}
		return nil
	})
	return size, err
}
