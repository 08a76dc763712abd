// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
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
		{"seconds", "7", "", 7 * time.Second, 10500 * time.Millisecond},
		{"zero seconds", "0", "", 0, soon},
		{"date", inBubble.Add(30 * time.Second).Format(http.TimeFormat), "", 30 * time.Second, 35 * time.Second},
		{"date by the server's clock", server.Add(30 * time.Second).Format(http.TimeFormat), server.Format(http.TimeFormat), 30 * time.Second, 35 * time.Second},
		{"date without a clock", inBubble.Add(30 * time.Second).Format(http.TimeFormat), "none", 30 * time.Second, 35 * time.Second},
		{"past date", inBubble.Add(-time.Hour).Format(http.TimeFormat), "", 0, soon},
		{"as many seconds as are waited for", "120", "", 2 * time.Minute, 125 * time.Second},
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

// A wait that nobody would sit out ends the run, whoever asks for it.
func TestRetryAfterTooLong(t *testing.T) {
	inBubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct{ name, after, want string }{
		{"seconds", "86400", "24h0m0s"},
		{"a little too many", "121", "2m1s"},
		{"more than a Duration holds", "9999999999999", "2562047h47m16s"},
		{"more than an integer holds", "99999999999999999999999", "2562047h47m16s"},
		{"date", inBubble.Add(24 * time.Hour).Format(http.TimeFormat), "24h0m0s"},
	} {
		for _, retries := range []int{-1, 4} {
			t.Run(test.name+"/"+strconv.Itoa(retries), func(t *testing.T) {
				faults := registrytest.First(100, "HEAD", "*/blobs/*", registrytest.Fault{
					Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {test.after}, "Date": {inBubble.Format(http.TimeFormat)}},
				})
				bubble(t, faults, registry.Options{Retries: retries}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
					start := time.Now()
					_, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest)
					if !errors.Is(err, registry.ErrUnavailable) || !strings.HasSuffix(err.Error(), ": the registry asks to wait "+test.want) {
						t.Errorf("got %v, want ErrUnavailable and how long to wait", err)
					}
					if n, took := srv.Count("HEAD", "*"), time.Since(start); n != 1 || took != 0 {
						t.Errorf("%d requests in %v, want one at once", n, took)
					}
				})
			})
		}
	}
}

// Where there is somebody else to ask, less is too long.
func TestMaxWait(t *testing.T) {
	for after, final := range map[string]bool{"1": false, "2": true} {
		faults := registrytest.First(1, "HEAD", "*/blobs/*", registrytest.Fault{Status: 503, Header: http.Header{"Retry-After": {after}}})
		bubble(t, faults, registry.Options{MaxWait: time.Second}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
			start := time.Now()
			_, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest)
			if (err != nil) != final || (time.Since(start) == 0) != final {
				t.Errorf("%s: %v in %v", after, err, time.Since(start))
			}
		})
	}
}

// bearerOver is srv behind a token server at the same host, where the first
// requests for path are refused with header.
func bearerOver(srv http.Handler, path string, refusals int64, header http.Header) http.Handler {
	var n atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == path && n.Add(1) <= refusals:
			for key, values := range header {
				w.Header()[key] = values
			}
			w.WriteHeader(http.StatusTooManyRequests)
		case r.URL.Path == "/token":
			_, _ = io.WriteString(w, `{"token":"t"}`) // the client may be gone
		case r.Header.Get("Authorization") != "Bearer t":
			w.Header().Set("Www-Authenticate", `Bearer realm="https://registry.test/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			srv.ServeHTTP(w, r)
		}
	})
}

// A ping and a token server are waited for like any answer.
func TestRetryAfterBeforeTheRequest(t *testing.T) {
	inBubble := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, path := range []string{"/v2/", "/token"} {
		for _, test := range []struct {
			name, after string
			wait        time.Duration // 0: fails
		}{
			{"seconds", "30", 30 * time.Second},
			{"date", inBubble.Add(30 * time.Second).Format(http.TimeFormat), 30 * time.Second},
			{"too long", "86400", 0},
		} {
			t.Run(path+"/"+test.name, func(t *testing.T) {
				bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
					header := http.Header{"Retry-After": {test.after}, "Date": {inBubble.Format(http.TimeFormat)}}
					tr := pipe(t, bearerOver(srv, path, 1, header))
					repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
					start := time.Now()
					found, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest)
					took := time.Since(start)
					if spread := 5 * time.Second; took < test.wait || took > test.wait+spread || test.wait == 0 && took != 0 {
						t.Errorf("waited %v, want %v and up to %v more", took, test.wait, spread)
					}
					if test.wait != 0 {
						if err != nil || !found {
							t.Errorf("found: %v, %v", found, err)
						}
						return
					}
					if !errors.Is(err, registry.ErrUnavailable) || !strings.HasSuffix(err.Error(), "the registry asks to wait 24h0m0s") {
						t.Errorf("got %v, want ErrUnavailable and how long to wait", err)
					}
				})
			})
		}
	}
}

// A wait that people notice is a warning, with its reason.
func TestLongWaitsAreWarnings(t *testing.T) {
	for _, test := range []struct{ name, after, want string }{
		{"long", "7", `level=WARN msg="trying again" in=(7|8|9|10)[0-9.]*s attempt=2 because=".*429 Too Many Requests"`},
		{"one second", "1", `level=INFO msg="trying again" in=1[0-9.]*s attempt=2 because=".*429 Too Many Requests"`},
		{"short", "", `level=INFO msg="trying again" in=[0-9.]+ms attempt=2 because=".*429 Too Many Requests"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			faults := registrytest.First(1, "HEAD", "*/blobs/*", registrytest.Fault{
				Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {test.after}},
			})
			var log bytes.Buffer
			opts := registry.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}
			bubble(t, faults, opts, func(t *testing.T, _ *registrytest.Server, repo *registry.Repository) {
				if _, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				if !regexp.MustCompile(test.want).Match(log.Bytes()) {
					t.Errorf("logged %q, want %s", log.String(), test.want)
				}
			})
		})
	}
}
