// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// referrerOf is an index without entries that refers to subject, the nth.
func referrerOf(t *testing.T, subject v1.Hash, n int) registry.Referrer {
	t.Helper()
	raw := fmt.Appendf(nil, `{"schemaVersion":2,"mediaType":%q,"manifests":[],"subject":{"mediaType":%q,"digest":%q,"size":2},"annotations":{"n":"%d"}}`,
		types.OCIImageIndex, types.OCIManifestSchema1, subject, n)
	d := descriptor(t, registry.Bytes(raw))
	d.MediaType = types.OCIImageIndex
	return registry.Referrer{Descriptor: d, Raw: raw}
}

// Processes that know nothing of each other attach to one subject at once, and
// none loses what another listed.
func TestAttachFromManyProcesses(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: true}})
	subject := entry(10).Digest
	want := map[v1.Hash]bool{}
	var wg sync.WaitGroup
	for n := range 6 {
		referrer := referrerOf(t, subject, n)
		want[referrer.Digest] = true
		repo := repository(t, client(t, registry.Options{}), srv.Host+"/team/app")
		wg.Go(func() {
			if err := repo.Attach(t.Context(), subject, []registry.Referrer{referrer}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	listed, err := repository(t, client(t, registry.Options{}), srv.Host+"/team/app").Referrers(t.Context(), subject)
	if err != nil {
		t.Fatal(err)
	}
	got := map[v1.Hash]bool{}
	for _, d := range listed {
		got[d.Digest] = true
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
}

// forgetful is a registry without the referrers API in which another process
// writes over the first lost lists, each time with one more entry of its own.
type forgetful struct {
	t          *testing.T
	lost, puts int
	list       []byte
}

func (f *forgetful) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tag := strings.HasSuffix(r.URL.Path, "/manifests/"+registry.ReferrersTag(entry(10).Digest))
	switch {
	case r.URL.Path == "/v2/":
	case tag && r.Method == http.MethodPut:
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			f.t.Error(err)
		}
		f.puts++
		f.list = raw
		if f.puts <= f.lost {
			f.list = listOf(f.t, entry(1), entry(1+f.puts%2))
		}
		w.WriteHeader(http.StatusCreated)
	case r.Method == http.MethodPut:
		w.WriteHeader(http.StatusCreated)
	case tag && f.list != nil:
		w.Header().Set("Content-Type", string(types.OCIImageIndex))
		_, _ = w.Write(f.list) // the client may be gone
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// What another process took out of the list is added again, to what the list
// is then, but not for ever.
func TestAttachAgain(t *testing.T) {
	for _, tc := range []struct{ lost, puts int }{{0, 1}, {1, 2}, {7, 8}, {8, 8}, {100, 8}} {
		t.Run(fmt.Sprintf("lost %d times", tc.lost), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &forgetful{t: t, lost: tc.lost}
				repo := repository(t, client(t, registry.Options{Transport: pipe(t, f)}), inMemory+"team/app")
				referrer := referrerOf(t, entry(10).Digest, 1)
				err := repo.Attach(t.Context(), entry(10).Digest, []registry.Referrer{referrer})
				if fails := tc.lost >= 8; fails != errors.Is(err, registry.ErrConflict) || fails != (err != nil) {
					t.Errorf("got %v, want a conflict: %t", err, fails)
				}
				if f.puts != tc.puts {
					t.Errorf("%d PUTs of the list, want %d", f.puts, tc.puts)
				}
				there := strings.Contains(string(f.list), referrer.Digest.Hex)
				if others := tc.lost == 0 || strings.Contains(string(f.list), entry(1).Digest.Hex); there != (err == nil) || !others {
					t.Errorf("after the error %v the list is %s", err, f.list)
				}
			})
		})
	}
}
