// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest_test

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

const data = "0123456789"

func sha(s string) string { return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(s))) }

type answer struct {
	status int
	header http.Header
	body   string
}

// ask sends one request. A header is "Name: value".
func ask(t *testing.T, s *registrytest.Server, method, path, body string, headers ...string) (answer, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = nil // or else net/http sends a request again whose connection broke
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(got)}, err
}

// want asks and fails the test unless the status is the one given.
func want(t *testing.T, status int, s *registrytest.Server, method, path, body string, headers ...string) answer {
	t.Helper()
	a, err := ask(t, s, method, path, body, headers...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	if a.status != status {
		t.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// post stores data as a blob of repo.
func post(repo string) string { return "/v2/" + repo + "/blobs/uploads/?digest=" + sha(data) }

func TestTLS(t *testing.T) {
	for name, tt := range map[string]struct {
		opts  registrytest.Options
		proto string
	}{
		"http":  {registrytest.Options{}, "HTTP/1.1"},
		"https": {registrytest.Options{TLS: true}, "HTTP/1.1"},
		"http2": {registrytest.Options{HTTP2: true}, "HTTP/2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			s := registrytest.Start(t, tt.opts)
			want(t, 200, s, "GET", "/v2/", "")
			if got := s.Requests()[0].Proto; got != tt.proto {
				t.Errorf("the request came by %s, want %s", got, tt.proto)
			}
			if s.CertPool == nil {
				return
			}
			stranger := &http.Client{Transport: &http.Transport{}}
			var unknown x509.UnknownAuthorityError
			if _, err := stranger.Get(s.URL + "/v2/"); !errors.As(err, &unknown) {
				t.Errorf("a client without the certificate: %v", err)
			}
			pool := x509.NewCertPool()
			if !pool.AppendCertsFromPEM(s.CA) {
				t.Fatal("CA holds no certificate")
			}
			for _, pool := range []*x509.CertPool{pool, s.CertPool} {
				tr := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
				s.Push(t, "r:v1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
				if _, err := remote.Get(s.Ref(t, "r:v1"), remote.WithTransport(tr)); err != nil {
					t.Error(err)
				}
				tr.CloseIdleConnections()
			}
		})
	}
}

// A TB that is not the test's own, so that a test may see what fails it.
type recorder struct {
	testing.TB
	cleanups []func()
	errors   []string
}

func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Errorf(format string, args ...any) {
	r.errors = append(r.errors, fmt.Sprintf(format, args...))
}

func TestHangingRequestFailsTheTest(t *testing.T) {
	arrived := make(chan struct{})
	r := &recorder{TB: t}
	s := registrytest.Start(r, registrytest.Options{Faults: func(int, *http.Request) registrytest.Fault {
		close(arrived)
		return registrytest.Fault{Delay: time.Hour}
	}})
	registrytest.SetGrace(s, time.Millisecond)
	hung := make(chan error)
	go func() {
		_, err := ask(t, s, "GET", "/v2/", "")
		hung <- err
	}()
	<-arrived
	for _, f := range r.cleanups {
		f()
	}
	if err := <-hung; err == nil {
		t.Error("the request was answered")
	}
	if len(r.errors) != 1 || !strings.Contains(r.errors[0], "GET /v2/") {
		t.Errorf("errors: %q, want one about GET /v2/", r.errors)
	}
}

func TestLatency(t *testing.T) {
	const latency = 20 * time.Millisecond
	s := registrytest.Start(t, registrytest.Options{Latency: latency})
	begin := time.Now()
	want(t, 200, s, "GET", "/v2/", "")
	if took := time.Since(begin); took < latency {
		t.Errorf("answered after %v, want at least %v", took, latency)
	}
	if r := s.Requests()[0]; r.End.Sub(r.Start) < latency {
		t.Errorf("recorded as %v, want at least %v", r.End.Sub(r.Start), latency)
	}
}

func TestUploadRate(t *testing.T) {
	s := registrytest.Start(t, registrytest.Options{UploadRate: 200})
	begin := time.Now()
	want(t, 201, s, "POST", post("r"), data)
	if took, least := time.Since(begin), 50*time.Millisecond; took < least {
		t.Errorf("%d bytes took %v, want at least %v", len(data), took, least)
	}
	want(t, 200, s, "GET", "/v2/r/blobs/"+sha(data), "")
}
