// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// cutEach cuts the body of the first n requests that carry one to a session,
// each after a number of bytes that next returns.
func cutEach(n int, next func() int64) func(int, *http.Request) registrytest.Fault {
	var mu sync.Mutex
	return func(_ int, r *http.Request) registrytest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if n == 0 || (r.Method != http.MethodPatch && r.Method != http.MethodPut) || !strings.Contains(r.URL.Path, "/uploads/") || r.ContentLength == 0 {
			return registrytest.Fault{}
		}
		n--
		return registrytest.Fault{CutRequest: next()}
	}
}

// An upload that breaks off again and again, more often than there are
// retries, completes as long as it gets on, and hardly anything is sent twice.
func TestUploadGoesOn(t *testing.T) {
	const size, cuts = 200 << 20, 10
	data := sized(size, 7)
	for name, content := range map[string]registry.Content{"known": registry.Bytes(data), "stream": streamed(data)} {
		t.Run(name, func(t *testing.T) {
			const seed = 1
			random := rand.New(rand.NewPCG(seed, 2))
			srv, _ := open(t, registrytest.Options{Faults: cutEach(cuts, func() int64 {
				after := 1<<20 + random.Int64N(size/cuts-1<<20)
				t.Logf("seed %d: cut after %d bytes", seed, after)
				return after
			})}, "team/app")
			c := client(t, registry.Options{Retries: 2})
			repo := repository(t, c, srv.Host+"/team/app")
			if err := repo.Upload(t.Context(), content); err != nil {
				t.Fatal(err)
			}
			holds(t, repo, data)
			if got := srv.UploadedBytes(); got > size*13/10 {
				t.Errorf("%d bytes arrived, of a blob of %d", got, size)
			}
			if posts := srv.Count(http.MethodPost, "*/uploads/"); posts != 1 {
				t.Errorf("%d sessions", posts)
			}
		})
	}
}

// A session that the registry has lost, or says nonsense about, starts again.
func TestUploadStartsAgain(t *testing.T) {
	data := sized(3<<20, 8)
	for name, answer := range map[string]registrytest.Fault{
		"lost":                {Status: http.StatusNotFound},
		"no such method":      {Status: http.StatusMethodNotAllowed},
		"no range":            {Status: http.StatusNoContent},
		"a range of nonsense": {Status: http.StatusNoContent, Header: http.Header{"Range": {"bytes"}, "Location": {"/v2/team/app/blobs/uploads/x"}}},
		"empty":               {Status: http.StatusNoContent, Header: http.Header{"Range": {"0-0"}, "Location": {"/v2/team/app/blobs/uploads/x"}}},
		"too much":            {Status: http.StatusNoContent, Header: http.Header{"Range": {"0-999999999"}, "Location": {"/v2/team/app/blobs/uploads/x"}}},
	} {
		t.Run(name, func(t *testing.T) {
			cut := cutEach(1, func() int64 { return 1 << 20 })
			srv, repo := open(t, registrytest.Options{Faults: func(n int, r *http.Request) registrytest.Fault {
				if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/uploads/") {
					return answer
				}
				return cut(n, r)
			}}, "team/app")
			if err := repo.Upload(t.Context(), registry.Bytes(data)); err != nil {
				t.Fatal(err)
			}
			holds(t, repo, data)
			if posts := srv.Count(http.MethodPost, "*/uploads/"); posts != 2 {
				t.Errorf("%d sessions, want 2", posts)
			}
		})
	}
}

// A registry that has not what it says is found out by the digest, and gets all
// again.
func TestUploadGoesOnAtTheWrongPlace(t *testing.T) {
	data := sized(3<<20, 9)
	var mu sync.Mutex
	at := ""
	srv, repo := open(t, registrytest.Options{Faults: func(n int, r *http.Request) registrytest.Fault {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case r.Method == http.MethodPatch && at == "":
			at = r.URL.RequestURI()
			return registrytest.Fault{Before: true} // nothing arrives
		case r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/uploads/"):
			return registrytest.Fault{Status: http.StatusNoContent, Header: http.Header{"Range": {"0-999"}, "Location": {at}}}
		}
		return registrytest.Fault{}
	}}, "team/app")
	if err := repo.Upload(t.Context(), streamed(data)); err != nil {
		t.Fatal(err)
	}
	holds(t, repo, data)
	if posts := srv.Count(http.MethodPost, "*/uploads/"); posts != 2 {
		t.Errorf("%d sessions, want 2", posts)
	}
}
