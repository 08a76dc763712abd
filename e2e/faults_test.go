// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// busy is what a machine with other things to do may add to a time.
const busy = 10 * time.Second

// An end is how a run of crane-bake ended.
type end struct {
	code   int
	stderr string
	took   time.Duration
}

func endOf(t testing.TB, args ...string) end {
	t.Helper()
	cmd := command(t, craneBake, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	start := time.Now()
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return end{cmd.ProcessState.ExitCode(), stderr.String(), time.Since(start)}
}

func buildArgs(base, dst string, flags ...string) []string {
	return append([]string{"build", "-f", filepath.Join(scorer, "bake.yaml"), "-b", base, "-t", dst}, flags...)
}

// startEngine is a registry with an engine image in it.
func startEngine(t testing.TB, faults func(int, *http.Request) registrytest.Fault) *registrytest.Server {
	t.Helper()
	srv := registrytest.Start(t, registrytest.Options{Faults: faults})
	srv.Push(t, "engine:v1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
	return srv
}

// longestBackoff is what docs/cli.md says of the waits for the default of
// --retries.
const longestBackoff = 2250 * time.Millisecond

// A registry that is down ends whatever needs it, in the time that the
// documentation states and with the exit code for it.
func TestRegistryIsDown(t *testing.T) {
	t.Parallel()
	up := startEngine(t, nil)
	down := registrytest.Start(t, registrytest.Options{Faults: func(int, *http.Request) registrytest.Fault {
		return registrytest.Fault{Status: http.StatusInternalServerError}
	}})
	for name, args := range map[string][]string{
		"build from it":   buildArgs(down.Host+"/engine:v1", up.Host+"/scorer:v1"),
		"build to it":     buildArgs(up.Host+"/engine:v1", down.Host+"/scorer:v1"),
		"inspect":         {"inspect", down.Host + "/engine:v1"},
		"promote from it": {"promote", down.Host + "/engine:v1", up.Host + "/prod:v1"},
		"promote to it":   {"promote", up.Host + "/engine:v1", down.Host + "/prod:v1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := endOf(t, args...)
			if got.code != 8 || !strings.Contains(got.stderr, "500 Internal Server Error") {
				t.Errorf("exit code %d, want 8 and the reason\n%s", got.code, got.stderr)
			}
			// Four waits of at least half of what they are on average.
			if got.took < 750*time.Millisecond || got.took > longestBackoff+busy {
				t.Errorf("it took %v, want %v at most", got.took, longestBackoff)
			}
			t.Log(got.took)
		})
	}
}

// What a request asks to wait is waited for, once.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]func() string{
		"seconds": func() string { return "1" },
		"date":    func() string { return time.Now().Add(2 * time.Second).UTC().Format(http.TimeFormat) }, // in whole seconds
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var once sync.Once
			srv := startEngine(t, func(_ int, r *http.Request) (f registrytest.Fault) {
				if r.Method == http.MethodPut && strings.HasSuffix(r.URL.Path, "/manifests/v1") {
					once.Do(func() {
						f = registrytest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {after()}}}
					})
				}
				return f
			})
			got := endOf(t, buildArgs(srv.Host+"/engine:v1", srv.Host+"/scorer:v1")...)
			if got.code != 0 || got.took < time.Second || got.took > 3*time.Second+busy {
				t.Errorf("exit code %d after %v, want 0 after 1 to 3 s\n%s", got.code, got.took, got.stderr)
			}
			if n := srv.Count(http.MethodPut, "/v2/scorer/manifests/v1"); n != 2 {
				t.Errorf("%d PUTs, want 2", n)
			}
		})
	}
}

// Bytes that trickle keep an attempt alive, and none end it.
func TestTimeout(t *testing.T) {
	t.Parallel()
	const timeout = 700 * time.Millisecond
	for name, test := range map[string]struct {
		pieces, code int
		min, max     time.Duration
	}{
		"trickles": {16, 0, 15 * timeout / 10, 3*timeout + busy},
		"stalls":   {1, 8, timeout, busy},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := startEngine(t, nil)
			bakeScorer(t, srv.Host+"/engine:v1", srv.Host+"/scorer:v1")
			stop := make(chan struct{})
			defer close(stop)
			slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/blobs/") {
					srv.ServeHTTP(w, r)
					return
				}
				whole := httptest.NewRecorder()
				srv.ServeHTTP(whole, r)
				body := whole.Body.Bytes()
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
				for i := range test.pieces {
					piece := body[len(body)*i/16 : len(body)*(i+1)/16]
					_, err := w.Write(piece)
					if err = errors.Join(err, http.NewResponseController(w).Flush()); err != nil {
						t.Error(err)
						return
					}
					select {
					case <-time.After(timeout / 10):
					case <-stop:
					}
				}
				if test.pieces < 16 {
					select {
					case <-stop:
					case <-r.Context().Done():
					}
				}
			}))
			defer slow.Close()
			got := endOf(t, "inspect", slow.Listener.Addr().String()+"/scorer:v1", "--timeout", timeout.String(), "--retries", "0")
			if got.code != test.code || got.took < test.min || got.took > test.max {
				t.Errorf("exit code %d after %v, want %d after %v to %v\n%s", got.code, got.took, test.code, test.min, test.max, got.stderr)
			}
			if says := strings.Contains(got.stderr, "no byte moved for 700ms"); says != (test.code == 8) {
				t.Errorf("it says %q", got.stderr)
			}
		})
	}
}

// Proxies answer with pages for people while a registry is restarted. A page
// that passes is no trouble, and one that stays is not repeated to the user.
func TestProxyPages(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout} {
		for _, passes := range []bool{true, false} {
			t.Run(fmt.Sprintf("%d/passes %t", status, passes), func(t *testing.T) {
				t.Parallel()
				srv := startEngine(t, nil)
				var mu sync.Mutex
				seen := map[string]bool{}
				proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					kind, _, _ := strings.Cut(r.URL.Path, "sha256:")
					kind, _, _ = strings.Cut(kind, "/uploads/")
					mu.Lock()
					again := seen[r.Method+kind]
					seen[r.Method+kind] = true
					mu.Unlock()
					if again && passes {
						srv.ServeHTTP(w, r)
						return
					}
					w.Header().Set("Content-Type", "text/html")
					w.WriteHeader(status)
					_, _ = fmt.Fprintf(w, "<html>\n<h1>%d</h1>%s</html>\n", status, strings.Repeat("<!-- a padding -->\n", 100)) // the client may be gone
				}))
				defer proxy.Close()
				host := proxy.Listener.Addr().String()
				got := endOf(t, buildArgs(host+"/engine:v1", host+"/scorer:v1", "--retries", "2")...)
				if want := map[bool]int{true: 0, false: 8}[passes]; got.code != want || strings.Contains(got.stderr, "<") {
					t.Errorf("exit code %d, want %d\n%s", got.code, want, got.stderr)
				}
				if !passes && !strings.Contains(got.stderr, fmt.Sprintf("%d %s", status, http.StatusText(status))) {
					t.Errorf("the status is missing: %s", got.stderr)
				}
			})
		}
	}
}
