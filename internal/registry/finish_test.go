// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// The answer to a manifest is its header: nobody waits for a body that does not
// come, or comes a byte at a time.
func TestAnswerWithoutEnd(t *testing.T) {
	for _, every := range []time.Duration{100 * time.Millisecond, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if r.URL.Path == "/v2/" {
					return
				}
				w.WriteHeader(http.StatusCreated)
				for r.Context().Err() == nil {
					_, _ = w.Write([]byte(" ")) // the client may be gone
					http.NewResponseController(w).Flush()
					select {
					case <-time.After(every):
					case <-r.Context().Done():
					}
				}
			}))
			repo := repository(t, registry.New(registry.Options{Transport: tr, Timeout: 3 * time.Second, Retries: -1}), inMemory+"team/app")
			start := time.Now()
			err := repo.PutManifest(t.Context(), "v1", types.OCIImageIndex, manifest)
			if took := time.Since(start); err != nil || took > time.Second {
				t.Errorf("a byte every %v: %v in %v", every, err, took)
			}
		})
	}
}
