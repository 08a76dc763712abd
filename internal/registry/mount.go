// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Mount makes the repository share a blob of another one of the same registry
// (end-11). It reports false where the registry would not: because it does not
// mount, because the source does not hold the blob, or because the caller may
// not read the source.
func (r *Repository) Mount(ctx context.Context, digest v1.Hash, from name.Repository) (bool, error) {
	if _, refused := r.host.noMount.Load(from.RepositoryStr()); refused {
		return false, nil
	}
	mounted := false
	err := r.host.client.retry(ctx, func(ctx context.Context) error {
		res, err := r.host.send(ctx, request{
			op:     fmt.Sprintf("mounting blob %s from %s into %s", digest, from, r.name),
			method: http.MethodPost,
			url: r.url("blobs/uploads/", url.Values{
				"mount": {digest.String()}, "from": {from.RepositoryStr()},
			}),
			scopes: append(r.pushScopes(), from.Scope(transport.PullScope)),
			expect: []int{http.StatusCreated, http.StatusAccepted},
		})
		switch status := statusOf(err); {
		case err == nil:
			finish(res)
			mounted = res.StatusCode == http.StatusCreated
			return nil
		case status == http.StatusUnauthorized, status == http.StatusForbidden,
			status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
			// The refusal may be the token server's, of the combined scopes.
			r.host.client.opts.Logger.Info("mount refused", "from", from, "to", r.name, "because", err)
			return nil
		default:
			return err
		}
	})
	if err == nil && !mounted {
		r.host.noMount.Store(from.RepositoryStr(), struct{}{})
	}
	return mounted, err
}

// SameRegistry reports whether both repositories live on one registry, so
// that blobs can be mounted from one into the other.
func SameRegistry(a, b name.Repository) bool { return a.RegistryStr() == b.RegistryStr() }
