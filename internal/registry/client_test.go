// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// However many repositories and scopes are used, and at once: a registry is
// pinged once, and asked for one token for each set of scopes.
func TestOnePingAndOneTokenPerScopes(t *testing.T) {
	for name, b := range map[string]*registrytest.Bearer{"bearer": {}, "basic": nil} {
		t.Run(name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{Auth: rights(b, 0), Latency: 5 * time.Millisecond})
			c := client(t, registry.Options{Keychain: baker, UserAgent: "baker/1"})
			errs := make(chan error)
			const repos, each = 3, 4
			for i := range repos * each {
				repo := repository(t, c, fmt.Sprintf("%s/team/app%d", srv.Host, i%repos))
				go func() {
					data := sized(100, byte(i))
					desc, _ := registry.Bytes(data).Descriptor()
					err := repo.Upload(t.Context(), registry.Bytes(data))
					if _, herr := repo.HasBlob(t.Context(), desc.Digest); herr != nil {
						err = errors.Join(err, herr)
					}
					errs <- err
				}()
			}
			for range repos * each {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			if got := srv.Count("", "/v2/"); got != 1 {
				t.Errorf("%d pings, want 1", got)
			}
			want := 0
			if b != nil {
				want = 2 * repos // to pull and to push
			}
			if got := srv.Count("", "/token"); got != want {
				t.Errorf("%d tokens, want %d", got, want)
			}
			if got := srv.Count("", "*"); got != 1+want+2*repos*each {
				t.Errorf("%d requests: %q", got, requests(srv))
			}
			if got, want := c.Requests(), int64(srv.Count("", "*")); got != want {
				t.Errorf("Requests() = %d, want %d", got, want)
			}
			for _, r := range srv.Requests() {
				if !strings.HasPrefix(r.Header.Get("User-Agent"), "baker/1 ") {
					t.Errorf("%s %s by %q", r.Method, r.Path, r.Header.Get("User-Agent"))
				}
			}
		})
	}
}

// A ping that breaks is repeated, also where https was tried before http.
func TestPingRetries(t *testing.T) {
	for name, fault := range map[string]registrytest.Fault{"cut": {Before: true}, "cut amid the answer": {CutResponse: 1}, "unavailable": {Status: 503}} {
		t.Run(name, func(t *testing.T) {
			srv, repo := open(t, registrytest.Options{Faults: registrytest.First(1, "GET", "/v2/", fault)}, "team/app")
			if err := repo.Upload(t.Context(), registry.Bytes(large)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"GET /v2/", "GET /v2/", "POST /v2/team/app/blobs/uploads/", "PUT /v2/team/app/blobs/uploads/ID"}, requests(srv)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// A token that runs out amid an upload, before or after the content was read,
// is replaced and the content sent as a whole, which is no retry.
func TestTokenRunsOut(t *testing.T) {
	for uses := 2; uses <= 3; uses++ {
		for name, content := range map[string]func() registry.Content{
			"small":   func() registry.Content { return registry.Bytes(small) },
			"large":   func() registry.Content { return registry.Bytes(sized(1<<20, 5)) },
			"unknown": func() registry.Content { return streamed(sized(1<<20, 6)) },
		} {
			t.Run(fmt.Sprintf("%s/%d", name, uses), func(t *testing.T) {
				srv := registrytest.Start(t, registrytest.Options{Auth: rights(&registrytest.Bearer{Uses: uses}, 0)})
				repo := repository(t, client(t, registry.Options{Keychain: baker, Retries: -1}), srv.Host+"/team/app")
				for i := range 2 {
					if err := repo.PutManifest(t.Context(), fmt.Sprintf("v%d", i), types.OCIImageIndex, manifest); err != nil {
						t.Fatalf("%v; %q", err, requests(srv))
					}
					c := content()
					if err := repo.Upload(t.Context(), c); err != nil {
						t.Fatalf("%v; %q", err, requests(srv))
					}
					found, err := repo.HasBlob(t.Context(), descriptor(t, c).Digest)
					if err != nil || !found {
						t.Errorf("there: %v, %v", found, err)
					}
				}
			})
		}
	}
}

func TestWrongPassword(t *testing.T) {
	for name, b := range map[string]*registrytest.Bearer{"bearer": {}, "basic": nil} {
		t.Run(name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{Auth: rights(b, 0)})
			repo := repository(t, client(t, registry.Options{Keychain: keychain{baker.user, "guess"}}), srv.Host+"/team/app")
			err := repo.Upload(t.Context(), registry.Bytes(small))
			if diff := cmp.Diff([]string{"denied"}, kindsOf(err)); diff != "" {
				t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
			}
			if got := srv.Count("", "*"); got != 2 {
				t.Errorf("%d requests, want the ping and one more: %q", got, requests(srv))
			}
		})
	}
}

type brokenKeychain struct{ asked *atomic.Int64 }

var errKeychain = errors.New("credential helper not installed")

func (k brokenKeychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	k.asked.Add(1)
	return nil, errKeychain
}

// Credentials that cannot be found do not turn up a little later.
func TestKeychainFails(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{})
	var asked atomic.Int64
	repo := repository(t, client(t, registry.Options{Keychain: brokenKeychain{&asked}}), srv.Host+"/team/app")
	err := repo.Upload(t.Context(), registry.Bytes(small))
	if !errors.Is(err, errKeychain) {
		t.Errorf("got %v, want the keychain's error", err)
	}
	if diff := cmp.Diff([]string{"denied"}, kindsOf(err)); diff != "" {
		t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
	}
	if asked.Load() != 1 || srv.Count("", "*") != 1 {
		t.Errorf("asked %d times; %q", asked.Load(), requests(srv))
	}
}

// overTLS is a transport that trusts srv.
func overTLS(t *testing.T, srv *registrytest.Server) *http.Transport {
	tr := registry.NewTransport()
	tr.TLSClientConfig = &tls.Config{RootCAs: srv.CertPool}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// Over HTTP/2 everything is the same, and streams that are reset are retried.
func TestHTTP2(t *testing.T) {
	reset := registrytest.First(1, "PUT", "*/uploads/*", registrytest.Fault{CutRequest: 50 << 10})
	lost := registrytest.First(1, "PUT", "*/manifests/*", registrytest.Fault{After: true})
	broken := registrytest.First(1, "GET", "*/blobs/sha256:*", registrytest.Fault{CutResponse: 70 << 10})
	srv := registrytest.Start(t, registrytest.Options{HTTP2: true, Faults: func(n int, r *http.Request) registrytest.Fault {
		for _, f := range []func(int, *http.Request) registrytest.Fault{reset, lost, broken} {
			if fault := f(n, r); fault.CutRequest != 0 || fault.CutResponse != 0 || fault.After {
				return fault
			}
		}
		return registrytest.Fault{}
	}})
	repo := repository(t, client(t, registry.Options{Transport: overTLS(t, srv)}), srv.Host+"/team/app")
	for _, c := range []registry.Content{registry.Bytes(small), registry.Bytes(large), streamed(sized(1<<20, 4))} {
		if err := repo.Upload(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	holds(t, repo, large)
	holds(t, repo, sized(1<<20, 4))
	if err := repo.PutManifest(t.Context(), "v1", types.OCIImageIndex, manifest); err != nil {
		t.Fatal(err)
	}
	if _, _, err := repo.Manifest(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	var ranges []string
	for _, r := range srv.Requests() {
		if r.Proto != "HTTP/2.0" {
			t.Errorf("%s %s over %s", r.Method, r.Path, r.Proto)
		}
		if r.Method == "GET" && strings.Contains(r.Path, "/blobs/sha256:") {
			ranges = append(ranges, r.Header.Get("Range"))
		}
	}
	if diff := cmp.Diff([]string{"", "bytes=71680-", ""}, ranges); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
	if puts, manifests := srv.Count("PUT", "*/uploads/*"), srv.Count("PUT", "*/manifests/*"); puts != 3 || manifests != 2 {
		t.Errorf("%d PUTs of blobs and %d of manifests, want 3 and 2: %q", puts, manifests, requests(srv))
	}
}

// A certificate that nobody vouches for does not get better with time.
func TestUnknownAuthority(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{TLS: true})
	c := client(t, registry.Options{})
	repo := repository(t, c, srv.Host+"/team/app")
	_, err := repo.HasBlob(t.Context(), v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("0", 64)})
	if !errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("got %v, want ErrUnavailable because of the certificate", err)
	}
	if got := c.Requests(); got != 2 {
		t.Errorf("%d requests, want a ping with https and http", got)
	}
}
