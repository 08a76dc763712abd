// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// A manifest that is refused for blobs that another request has just brought is
// sent again, but no manifest that is refused for itself.
func TestManifestOfUnseenBlobs(t *testing.T) {
	digest := descriptor(t, registry.Bytes(manifest)).Digest.String()
	zeros := "sha256:" + strings.Repeat("0", 64)
	for _, tc := range []struct {
		name, ref, codes string
		status, refusals int
		puts             int
		fails            bool
	}{
		{"seen later", "v1", "MANIFEST_BLOB_UNKNOWN", 400, 2, 3, false},
		{"seen later, 404", "v1", "MANIFEST_BLOB_UNKNOWN", 404, 1, 2, false},
		{"a blob by another name", "v1", "BLOB_UNKNOWN", 404, 1, 2, false},
		{"as docker-registry says it", digest, "DIGEST_INVALID MANIFEST_BLOB_UNKNOWN", 400, 4, 5, false},
		{"a digest that matches", digest, "DIGEST_INVALID", 400, 1, 2, false},
		{"a tag", "v1", "DIGEST_INVALID", 400, 1, 2, false},
		{"another digest", zeros, "DIGEST_INVALID", 400, 1, 1, true},
		{"never seen", "v1", "MANIFEST_BLOB_UNKNOWN", 400, 100, 5, true},
		{"invalid", "v1", "MANIFEST_INVALID", 400, 1, 1, true},
		{"no such repository", "v1", "NAME_UNKNOWN", 404, 1, 1, true},
		{"denied", "v1", "BLOB_UNKNOWN", 403, 1, 1, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				puts := 0
				tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.Method != http.MethodPut {
						return
					}
					if puts++; puts > tc.refusals {
						w.WriteHeader(http.StatusCreated)
						return
					}
					var errs []string
					for _, code := range strings.Fields(tc.codes) {
						errs = append(errs, fmt.Sprintf(`{"code":%q,"message":"no"}`, code))
					}
					w.Header().Set("Content-Type", "application/json")
					w.WriteHeader(tc.status)
					_, _ = fmt.Fprintf(w, `{"errors":[%s]}`, strings.Join(errs, ",")) // the client may be gone
				}))
				repo := repository(t, client(t, registry.Options{Transport: tr}), inMemory+"team/app")
				err := repo.PutManifest(t.Context(), tc.ref, types.OCIImageIndex, manifest)
				if tc.fails != (err != nil) || puts != tc.puts {
					t.Errorf("%d PUTs and the error %v, want %d and one: %t", puts, err, tc.puts, tc.fails)
				}
			})
		})
	}
}
