// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// An operation is one thing that a repository does, and the request in it
// that a test disturbs.
type operation struct {
	name, method, path string
	sends, receives    bool // the request, the answer has a body
	do                 func(context.Context, *registry.Repository) error
}

var (
	small    = sized(1000, 1)
	large    = sized(200<<10, 2) // more than buffers hold, less than a server leaves unread
	there    = sized(5000, 3)    // is in team/app and team/base
	manifest = []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
)

const (
	uploads = "/v2/team/app/blobs/uploads/"
	session = uploads + "*-*"
)

func operations(t *testing.T) []operation {
	desc := descriptor(t, registry.Bytes(there))
	base := repoName(t, inMemory+"team/base")
	return []operation{
		{"ping", "GET", "/v2/", false, true, func(ctx context.Context, r *registry.Repository) error {
			_, err := r.HasBlob(ctx, desc.Digest)
			return err
		}},
		{"get a manifest", "GET", "/v2/team/app/manifests/v0", false, true, func(ctx context.Context, r *registry.Repository) error {
			_, raw, err := r.Manifest(ctx, "v0")
			if err == nil && !bytes.Equal(raw, manifest) {
				return fmt.Errorf("another manifest: %s", raw)
			}
			return err
		}},
		{"look for a manifest", "HEAD", "/v2/team/app/manifests/v0", false, false, func(ctx context.Context, r *registry.Repository) error {
			got, err := r.Head(ctx, "v0")
			if want := descriptor(t, registry.Bytes(manifest)).Digest; err == nil && got != want {
				return fmt.Errorf("digest %s, want %s", got, want)
			}
			return err
		}},
		{"get a blob", "GET", "/v2/team/app/blobs/*", false, true, func(ctx context.Context, r *registry.Repository) error {
			got, err := read(ctx, r, desc)
			if err == nil && !bytes.Equal(got, there) {
				return errors.New("another blob")
			}
			return err
		}},
		{"look for a blob", "HEAD", "/v2/team/app/blobs/*", false, false, func(ctx context.Context, r *registry.Repository) error {
			found, err := r.HasBlob(ctx, desc.Digest)
			if err == nil && !found {
				return errors.New("not found")
			}
			return err
		}},
		{"post a blob", "POST", uploads, true, false, upload(registry.Bytes(small))},
		{"open an upload", "POST", uploads, false, false, upload(registry.Bytes(large))},
		{"put a blob", "PUT", session, true, false, upload(registry.Bytes(large))},
		{"stream a blob", "PATCH", session, true, false, func(ctx context.Context, r *registry.Repository) error { return r.Upload(ctx, streamed(large)) }},
		{"end a stream", "PUT", session, false, false, func(ctx context.Context, r *registry.Repository) error { return r.Upload(ctx, streamed(large)) }},
		{"put a manifest", "PUT", "/v2/team/app/manifests/v1", true, false, func(ctx context.Context, r *registry.Repository) error {
			return r.PutManifest(ctx, "v1", types.OCIImageIndex, manifest)
		}},
		{"mount", "POST", uploads, false, false, func(ctx context.Context, r *registry.Repository) error {
			mounted, err := r.Mount(ctx, desc.Digest, base)
			if err == nil && !mounted {
				return errNotMounted
			}
			return err
		}},
	}
}

// attempts is how often op was tried, of a stream how often from its start.
func (op operation) attempts(srv *registrytest.Server) int {
	if op.method == "PATCH" {
		return srv.Count("POST", uploads)
	}
	return srv.Count(op.method, op.path)
}

var errNotMounted = errors.New("not mounted")

func upload(c registry.Content) func(context.Context, *registry.Repository) error {
	return func(ctx context.Context, r *registry.Repository) error { return r.Upload(ctx, c) }
}

// bubble runs test against a registry that holds what the operations need, in
// a bubble of testing/synctest: none of its goroutines may be left at the end.
func bubble(t *testing.T, faults func(int, *http.Request) registrytest.Fault, opts registry.Options, test func(*testing.T, *registrytest.Server, *registry.Repository)) {
	t.Helper()
	var on bool
	srv := registrytest.Start(t, registrytest.Options{Faults: func(n int, r *http.Request) registrytest.Fault {
		if !on || faults == nil {
			return registrytest.Fault{}
		}
		return faults(n, r)
	}})
	fill := client(t, registry.Options{})
	for _, repo := range []string{"/team/app", "/team/base"} {
		if err := repository(t, fill, srv.Host+repo).Upload(t.Context(), registry.Bytes(there)); err != nil {
			t.Fatal(err)
		}
	}
	if err := repository(t, fill, srv.Host+"/team/app").PutManifest(t.Context(), "v0", types.OCIImageIndex, manifest); err != nil {
		t.Fatal(err)
	}
	srv.Reset()
	on = true
	synctest.Test(t, func(t *testing.T) {
		opts.Transport = pipe(t, srv)
		test(t, srv, repository(t, registry.New(opts), inMemory+"team/app"))
	})
}
