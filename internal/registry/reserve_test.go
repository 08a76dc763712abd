// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
)

// A reserved session is used once, by the next blob of known digest.
func TestReserve(t *testing.T) {
	const post, put = "POST " + uploads, "PUT " + uploads + "ID"
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		repo.Reserve(t.Context())
		repo.Reserve(t.Context())
		synctest.Wait()
		if diff := cmp.Diff([]string{"GET /v2/", post, post}, requests(srv)); diff != "" {
			t.Fatalf("requests (-want +got):\n%s", diff)
		}
		for n, want := range [][]string{{put}, {put}, {post}} {
			srv.Reset()
			if err := repo.Upload(t.Context(), registry.Bytes(sized(1000, byte(20+n)))); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, requests(srv)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			holds(t, repo, sized(1000, byte(20+n)))
		}
	})
}

// A reservation that fails, is lost, or ends with its context costs the upload
// nothing but time.
func TestReserveFails(t *testing.T) {
	for _, test := range []struct {
		name  string
		fault registrytest.Fault
		want  []string // of the upload
	}{
		{"refused", registrytest.Fault{Status: http.StatusForbidden}, []string{"POST"}},
		{"cut", registrytest.Fault{Before: true}, []string{"POST"}},
		{"unavailable", registrytest.Fault{Status: 503, Header: http.Header{"Retry-After": {"60"}}}, []string{"POST"}},
		{"lost", registrytest.Fault{Status: 202, Header: http.Header{"Location": {uploads + "00000000-0000-4000-8000-000000000000"}}}, []string{"PUT", "HEAD", "POST"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			faults := registrytest.First(1, "POST", uploads, test.fault)
			bubble(t, faults, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
				start := time.Now()
				repo.Reserve(t.Context())
				synctest.Wait()
				srv.Reset()
				if err := repo.Upload(t.Context(), registry.Bytes(small)); err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, r := range srv.Requests() {
					got = append(got, r.Method)
				}
				if !slices.Equal(got, test.want) {
					t.Errorf("requests %q, want %q", got, test.want)
				}
				if took := time.Since(start); took > time.Second {
					t.Errorf("took %v", took)
				}
				holds(t, repo, small)
			})
		})
	}
}

// The end of either context ends the wait for a reservation.
func TestReserveCancelled(t *testing.T) {
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
		tr := pipe(t, stalls(t, srv, func(r *http.Request) string {
			if r.Method == "POST" && r.URL.RawQuery == "" {
				return "request"
			}
			return ""
		}))
		repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
		reserving, stop := context.WithCancel(t.Context())
		repo.Reserve(reserving)
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- repo.Upload(t.Context(), registry.Bytes(small)) }()
		synctest.Wait()
		start := time.Now()
		stop()
		if err := <-done; err != nil || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}

		reserving, stop = context.WithCancel(t.Context())
		defer stop()
		repo.Reserve(reserving)
		ctx, cancel := context.WithCancel(t.Context())
		go func() { done <- repo.Upload(ctx, registry.Bytes(large)) }()
		synctest.Wait()
		start = time.Now()
		cancel()
		if err := <-done; err == nil || time.Since(start) != 0 {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}
