// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Mount makes the repository share a blob of another one of the same registry
// (end-11). It reports false where the registry would not: because it does not
// mount, because the source does not hold the blob, or because the caller may
// not read the source. A session that the registry opened instead is kept for
// an Upload.
func (r *Repository) Mount(ctx context.Context, digest v1.Hash, from name.Repository) (bool, error) {
	source, mounts := from.RepositoryStr(), &r.host.mounts
	if mounts.has(source, digest) {
		return false, nil
	}
	to := r.pushScopes()
	to.scopes = append(to.scopes, from.Scope(transport.PullScope))
	op := fmt.Sprintf("mounting blob %s from %s into %s", digest, from, r.name)
	mounted := false
	err := r.host.client.retry(ctx, func(ctx context.Context) error {
		res, err := r.host.send(ctx, request{
			op:     op,
			method: http.MethodPost,
			url:    r.url("blobs/uploads/", url.Values{"mount": {digest.String()}, "from": {source}}),
			scopes: to,
			expect: []int{http.StatusCreated, http.StatusAccepted},
		})
		switch {
		case err == nil:
		case refusesMounts(err):
			mounts.addAll(source)
		case statusOf(err) == http.StatusNotFound:
			mounts.add(source, digest)
		default:
			return err
		}
		if err != nil {
			r.host.client.opts.Logger.Info("mount refused", "from", from, "to", r.name, "because", err)
			return nil
		}
		finish(res)
		if res.StatusCode == http.StatusCreated {
			mounted = true
			return confirm(op, res, digest)
		}
		mounts.add(source, digest)
		if at, err := location(op, res); err == nil {
			r.keep(at)
		}
		return nil
	})
	return mounted && err == nil, err
}

// refusesMounts reports that err is about the source, not about one blob of
// it. Some token servers give no token for two repositories.
func refusesMounts(err error) bool {
	var token *tokenError
	status := statusOf(err)
	switch {
	case errors.As(err, &token):
		return status >= 400 && status < 500 && !passing(err)
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusMethodNotAllowed:
		return true
	}
	return false
}

// enoughRefusals is how many blobs a source may be refused before no more are
// asked for: a registry that does not mount answers as if it lacked each.
const enoughRefusals = 3

// refusals is what mounts a registry refused, from which of its repositories.
type refusals struct {
	mu       sync.Mutex
	bySource map[string]*refused
}

type refused struct {
	all   bool
	blobs map[v1.Hash]bool
}

func (f *refusals) of(source string) *refused {
	r, ok := f.bySource[source]
	if !ok {
		r = &refused{blobs: map[v1.Hash]bool{}}
		f.bySource[source] = r
	}
	return r
}

func (f *refusals) has(source string, blob v1.Hash) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.of(source)
	return r.all || r.blobs[blob]
}

func (f *refusals) add(source string, blob v1.Hash) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.of(source)
	r.blobs[blob] = true
	r.all = r.all || len(r.blobs) >= enoughRefusals
}

func (f *refusals) addAll(source string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.of(source).all = true
}

// SameRegistry reports whether both repositories live on one registry, so
// that blobs can be mounted from one into the other.
func SameRegistry(a, b name.Repository) bool { return a.RegistryStr() == b.RegistryStr() }
