// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"errors"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// Waits double from 0.1 s on, give or take half, up to 10 s.
func TestBackoff(t *testing.T) {
	faults := registrytest.First(100, "GET", "*/manifests/*", registrytest.Fault{Status: 500})
	bubble(t, faults, registry.Options{Retries: 12}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		if _, _, err := repo.Manifest(t.Context(), "v0"); !errors.Is(err, registry.ErrUnavailable) {
			t.Errorf("got %v, want ErrUnavailable", err)
		}
		var at []time.Time
		for _, r := range srv.Requests() {
			if r.Repo != "" {
				at = append(at, r.Start)
			}
		}
		if len(at) != 13 {
			t.Fatalf("%d attempts, want 13", len(at))
		}
		for n, next := range at[1:] {
			about := min(100*time.Millisecond<<n, 10*time.Second)
			if wait := next.Sub(at[n]); wait < about/2 || wait > about*3/2 {
				t.Errorf("wait %d took %v, want about %v", n+1, wait, about)
			}
		}
	})
}

func TestRetryAfter(t *testing.T) {
	const soon = 150 * time.Millisecond // the longest first wait without the header
	server := time.Date(2031, 5, 6, 7, 8, 9, 0, time.UTC)
	inBubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name, after, date string // of the headers
		min, max          time.Duration
	}{
		{"seconds", "7", "", 7 * time.Second, 7 * time.Second},
		{"zero seconds", "0", "", 0, soon},
		{"date", inBubble.Add(30 * time.Second).Format(http.TimeFormat), "", 30 * time.Second, 30 * time.Second},
		{"date by the server's clock", server.Add(30 * time.Second).Format(http.TimeFormat), server.Format(http.TimeFormat), 30 * time.Second, 30 * time.Second},
		{"date without a clock", inBubble.Add(30 * time.Second).Format(http.TimeFormat), "none", 30 * time.Second, 30 * time.Second},
		{"past date", inBubble.Add(-time.Hour).Format(http.TimeFormat), "", 0, soon},
		{"too many seconds", "86400", "", 2 * time.Minute, 2 * time.Minute},
		{"more seconds than a Duration holds", "9999999999999", "", 2 * time.Minute, 2 * time.Minute},
		{"negative", "-5", "", 0, soon},
		{"nonsense", "a while", "", 0, soon},
	} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			t.Run(test.name+"/"+strconv.Itoa(status), func(t *testing.T) {
				fault := registrytest.Fault{Status: status, Header: http.Header{"Retry-After": {test.after}}}
				if test.date != "" {
					fault.Header["Date"] = []string{test.date}
				}
				faults := registrytest.First(1, "HEAD", "*/blobs/*", fault)
				bubble(t, faults, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
					start := time.Now()
					if _, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest); err != nil {
						t.Fatal(err)
					}
					if took := time.Since(start); took < test.min || took > test.max {
						t.Errorf("waited %v, want %v to %v", took, test.min, test.max)
					}
				})
			})
		}
	}
}
