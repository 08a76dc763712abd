// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
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

// Release ends what was reserved and not used, open or about to be.
func TestRelease(t *testing.T) {
	const post, put, del = "POST " + uploads, "PUT " + uploads + "ID", "DELETE " + uploads + "ID"
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		for range 3 {
			repo.Reserve(t.Context())
		}
		if err := repo.Upload(t.Context(), registry.Bytes(small)); err != nil {
			t.Fatal(err)
		}
		srv.Reset()
		repo.Reserve(t.Context())
		repo.Release(t.Context())
		var posts int
		sessions := map[string]bool{}
		for _, r := range srv.Requests() {
			switch r.Method {
			case "POST":
				posts++
			case "DELETE":
				sessions[r.Path] = true
				if r.Status != http.StatusNoContent {
					t.Errorf("%s %s: %d", r.Method, r.Path, r.Status)
				}
			}
		}
		if len(sessions) != 3 || posts < 1 {
			t.Errorf("%d sessions ended, want 3: %q", len(sessions), requests(srv))
		}
		srv.Reset()
		repo.Release(t.Context())
		if err := repo.Upload(t.Context(), registry.Bytes(large)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{post, put}, requests(srv)); diff != "" {
			t.Errorf("requests afterwards (-want +got):\n%s", diff)
		}
	})
}

// A registry that does not answer keeps its sessions, and nobody waiting.
func TestReleaseGivesUp(t *testing.T) {
	for _, test := range []struct {
		name, method string
		end          bool // of the context
		want         time.Duration
	}{
		{"opening", "POST", false, 5 * time.Second},
		{"opening, cancelled", "POST", true, 0},
		{"ending", "DELETE", false, 5 * time.Second},
		{"ending, cancelled", "DELETE", true, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
				tr := pipe(t, stalls(t, srv, func(r *http.Request) string {
					if r.Method == test.method {
						return "request"
					}
					return ""
				}))
				repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
				for range 3 {
					repo.Reserve(t.Context())
				}
				synctest.Wait()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if test.end {
					cancel()
				}
				start := time.Now()
				repo.Release(ctx)
				if took := time.Since(start); took != test.want {
					t.Errorf("took %v, want %v", took, test.want)
				}
			})
		})
	}
}

// A token server that refuses the right to delete does not spoil the token for
// uploads.
func TestReleaseRefused(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{Auth: rights(&registrytest.Bearer{Strict: http.StatusForbidden}, 0)})
	repo := repository(t, client(t, registry.Options{Keychain: baker}), srv.Host+"/team/app")
	repo.Reserve(t.Context())
	repo.Release(t.Context())
	if got := srv.Count("DELETE", "*"); got != 0 {
		t.Fatalf("%d sessions ended without a token: %q", got, requests(srv))
	}
	srv.Reset()
	if err := repo.Upload(t.Context(), registry.Bytes(small)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"POST " + uploads}, requests(srv)); diff != "" {
		t.Errorf("requests afterwards (-want +got):\n%s", diff)
	}
}

// A registry that ends no sessions says so once.
func TestReleaseRefusedOnce(t *testing.T) {
	for _, status := range []int{http.StatusMethodNotAllowed, http.StatusServiceUnavailable} {
		srv := registrytest.Start(t, registrytest.Options{Faults: registrytest.First(100, "DELETE", "*", registrytest.Fault{Status: status})})
		var log bytes.Buffer
		c := client(t, registry.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for n := range 3 {
			repo := repository(t, c, fmt.Sprintf("%s/team/app%d", srv.Host, n))
			repo.Reserve(t.Context())
			repo.Release(t.Context())
		}
		want := map[bool]int{true: 1, false: 3}[status == http.StatusMethodNotAllowed]
		if deletes, lines := srv.Count("DELETE", "*"), strings.Count(log.String(), "a session stays open"); deletes != want || lines != want {
			t.Errorf("%d: %d requests, %d lines, want %d", status, deletes, lines, want)
		}
	}
}

// A content that cannot be opened leaves its session to the next one.
func TestSessionOutlivesContent(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			srv, repo := open(t, registrytest.Options{}, "team/app")
			broken := registry.Bytes(large)
			if !known {
				broken = streamed(large)
			}
			broken.Open = func(context.Context) (io.ReadCloser, error) { return nil, fs.ErrNotExist }
			if err := repo.Upload(t.Context(), broken); !errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("got %v, want the content's error", err)
			}
			if err := repo.Upload(t.Context(), registry.Bytes(small)); err != nil {
				t.Fatal(err)
			}
			want := []string{"GET /v2/", "POST " + uploads, "PUT " + uploads + "ID"}
			if diff := cmp.Diff(want, requests(srv)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// However many sessions a registry lost, an upload tries one of them.
func TestReservationsLost(t *testing.T) {
	gone := registrytest.First(3, "POST", uploads, registrytest.Fault{
		Status: 202, Header: http.Header{"Location": {uploads + "00000000-0000-4000-8000-000000000000"}},
	})
	bubble(t, gone, registry.Options{Retries: 1}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		for range 3 {
			repo.Reserve(t.Context())
		}
		synctest.Wait()
		if err := repo.Upload(t.Context(), registry.Bytes(large)); err != nil {
			t.Fatalf("%v; %q", err, requests(srv))
		}
		holds(t, repo, large)
	})
}

// A session that opens after the upload that waited for it was cancelled is the
// next upload's.
func TestReservationOutlivesUpload(t *testing.T) {
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
		open := make(chan struct{})
		tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				<-open
			}
			srv.ServeHTTP(w, r)
		}))
		repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
		repo.Reserve(t.Context())
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- repo.Upload(ctx, registry.Bytes(large)) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
		close(open)
		if err := repo.Upload(t.Context(), registry.Bytes(large)); err != nil {
			t.Fatal(err)
		}
		if got := srv.Count("POST", uploads); got != 1 {
			t.Errorf("%d sessions, want 1: %q", got, requests(srv))
		}
	})
}
