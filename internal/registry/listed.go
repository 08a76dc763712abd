// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Listed is Referrers for a writer: where the registry has the API, what the
// tag lists does not count, for Attach would add to the API's list.
func (r *Repository) Listed(ctx context.Context, digest v1.Hash) ([]v1.Descriptor, error) {
	found, api, err := r.askReferrers(ctx, digest)
	if err == nil && !api {
		return r.Referrers(ctx, digest)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the referrers of %s: %w", digest, err)
	}
	return found, nil
}
