// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// storing is a repository that takes whatever it is sent and says that it
// stored digest.
func storing(t *testing.T, digest string) (*registry.Repository, *int) {
	t.Helper()
	puts := new(int)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the client may be gone
		query := r.URL.Query()
		switch {
		case r.URL.Path == "/v2/":
		case r.Method == http.MethodPost && !query.Has("mount") && !query.Has("digest"), r.Method == http.MethodPatch:
			w.Header().Set("Location", "/session")
			w.WriteHeader(http.StatusAccepted)
		default:
			*puts++
			if digest != "" {
				w.Header().Set("Docker-Content-Digest", digest)
			}
			w.WriteHeader(http.StatusCreated)
		}
	}))
	t.Cleanup(srv.Close)
	return repository(t, client(t, registry.Options{}), srv.Listener.Addr().String()+"/team/app"), puts
}

// A registry, or a proxy before it, that stored something else is heard.
func TestStoredSomethingElse(t *testing.T) {
	zeros := strings.Repeat("0", 64)
	for _, op := range []struct {
		name string
		data []byte
		do   func(context.Context, *registry.Repository) error
	}{
		{"manifest", manifest, func(ctx context.Context, r *registry.Repository) error {
			return r.PutManifest(ctx, "v1", types.OCIImageIndex, manifest)
		}},
		{"small blob", small, upload(registry.Bytes(small))},
		{"large blob", large, upload(registry.Bytes(large))},
		{"stream", large, func(ctx context.Context, r *registry.Repository) error { return r.Upload(ctx, streamed(large)) }},
		{"mount", large, func(ctx context.Context, r *registry.Repository) error {
			mounted, err := r.Mount(ctx, descriptor(t, registry.Bytes(large)).Digest, r.Name().Registry.Repo("team", "base"))
			if mounted != (err == nil) {
				t.Errorf("mounted: %v, %v", mounted, err)
			}
			return err
		}},
	} {
		for _, test := range []struct {
			name, stated string
			want         error
		}{
			{"the same", descriptor(t, registry.Bytes(op.data)).Digest.String(), nil},
			{"nothing", "", nil},
			{"no digest", "?", nil},
			{"a short digest", "sha256:00", nil},
			{"another algorithm", "sha512:" + zeros + zeros, nil},
			{"another", "sha256:" + zeros, registry.ErrIntegrity},
		} {
			t.Run(op.name+"/"+test.name, func(t *testing.T) {
				repo, puts := storing(t, test.stated)
				err := op.do(t.Context(), repo)
				if !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if err != nil && !strings.HasSuffix(err.Error(), "the registry says that it stored "+test.stated) {
					t.Errorf("got %q, want it to name the digest", err)
				}
				if *puts != 1 {
					t.Errorf("stored %d times, want once", *puts)
				}
			})
		}
	}
}
