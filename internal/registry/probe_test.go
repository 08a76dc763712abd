// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// The first manifest is asked for without a ping and without credentials: its
// answer says what a ping would.
func TestProbe(t *testing.T) {
	const (
		get  = "GET /v2/team/app/manifests/v1"
		blob = "HEAD /v2/team/app/blobs/" // of the digest
		ping = "GET /v2/"
	)
	anyone := func(b *registrytest.Bearer, repos string) *registrytest.Auth {
		auth := rights(b, 0)
		auth.Anonymous = []registrytest.Right{{Repos: repos, Actions: []string{"pull"}}}
		return auth
	}
	answer := func(f registrytest.Fault) func(int, *http.Request) registrytest.Fault {
		return registrytest.First(1, "GET", "/v2/team/app/manifests/v1", f)
	}
	first := func(status int) func(int, *http.Request) registrytest.Fault {
		return answer(registrytest.Fault{Status: status})
	}
	for _, test := range []struct {
		name      string
		opts      registrytest.Options
		anonymous bool // there are no credentials
		want      []string
		kind      string // of the error, empty is none
	}{
		{name: "open", want: []string{get, blob}},
		{name: "basic", opts: registrytest.Options{Auth: rights(nil, 0)}, want: []string{get, get, blob}},
		{name: "tokens", opts: registrytest.Options{Auth: rights(&registrytest.Bearer{}, 0)}, want: []string{get, "GET /token", get, blob}},
		{name: "open to read, basic", opts: registrytest.Options{Auth: anyone(nil, "*")}, want: []string{get, blob}},
		{name: "open to read elsewhere", opts: registrytest.Options{Auth: anyone(nil, "public/*")}, want: []string{get, ping, get, blob}},
		{name: "hidden without credentials", opts: registrytest.Options{Auth: rights(nil, 0), Faults: first(404)}, want: []string{get, ping, get, blob}},
		{name: "not there", opts: registrytest.Options{Faults: first(404)}, anonymous: true, want: []string{get, ping}, kind: "not found"},
		{name: "not there, with credentials", opts: registrytest.Options{Faults: registrytest.First(2, "GET", "/v2/team/app/manifests/v1", registrytest.Fault{Status: 404})}, want: []string{get, ping, get}, kind: "not found"},
		{name: "400", opts: registrytest.Options{Faults: first(400)}, want: []string{get, ping, get, blob}},
		{name: "401 without a challenge", opts: registrytest.Options{Faults: first(401)}, want: []string{get, ping, get, blob}},
		{name: "a page", opts: registrytest.Options{Faults: answer(registrytest.Fault{Status: 200, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}})}, want: []string{get, ping, get, blob}},
		{name: "elsewhere", opts: registrytest.Options{Faults: answer(registrytest.Fault{Status: 307, Header: http.Header{"Location": {"/v2/team/app/manifests/v2"}}})}, want: []string{get, ping, get, blob}},
		{name: "unavailable", opts: registrytest.Options{Faults: first(503)}, want: []string{get, ping, get, blob}},
		{name: "cut", opts: registrytest.Options{Faults: answer(registrytest.Fault{Before: true})}, want: []string{get, ping, get, blob}},
		{name: "cut amid the answer", opts: registrytest.Options{Faults: answer(registrytest.Fault{CutResponse: 3})}, want: []string{get, ping, get, blob}},
		{name: "not there, and hidden", opts: registrytest.Options{Auth: rights(nil, 0), Faults: registrytest.First(2, "GET", "/v2/team/app/manifests/v1", registrytest.Fault{Status: 404})}, want: []string{get, ping, get}, kind: "not found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := registrytest.Start(t, test.opts)
			fill := repository(t, client(t, registry.Options{Keychain: baker}), srv.Host+"/team/app")
			if err := fill.Upload(t.Context(), registry.Bytes(small)); err != nil {
				t.Fatal(err)
			}
			if err := fill.PutManifest(t.Context(), "v1", types.OCIImageIndex, manifest); err != nil {
				t.Fatal(err)
			}
			srv.Reset()
			opts := registry.Options{Keychain: baker}
			if test.anonymous {
				opts.Keychain = nil
			}
			repo := repository(t, client(t, opts), srv.Host+"/team/app")
			_, raw, err := repo.Manifest(t.Context(), "v1")
			digest := descriptor(t, registry.Bytes(small)).Digest
			if test.kind != "" {
				if diff := cmp.Diff([]string{test.kind}, kindsOf(err)); diff != "" {
					t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
				}
			} else {
				if err != nil || string(raw) != string(manifest) {
					t.Errorf("got %q, %v", raw, err)
				}
				if found, err := repo.HasBlob(t.Context(), digest); !found || err != nil {
					t.Errorf("blob there: %v, %v", found, err)
				}
			}
			for i, want := range test.want {
				if want == blob {
					test.want[i] += digest.String()
				}
			}
			if diff := cmp.Diff(test.want, requests(srv)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if got := srv.Requests()[0].Header.Get("Authorization"); got != "" {
				t.Errorf("the first request says who asks: %q", got)
			}
		})
	}
}

// What is open to read may have parts that are not.
func TestProbeOfWhatIsHalfOpen(t *testing.T) {
	auth := rights(&registrytest.Bearer{}, 0)
	srv := registrytest.Start(t, registrytest.Options{
		Auth:   auth,
		Faults: registrytest.First(1, "GET", "/v2/team/app/manifests/v1", registrytest.Fault{Status: 200, Header: http.Header{"Content-Type": {string(types.OCIImageIndex)}}}),
	})
	repo := repository(t, client(t, registry.Options{Keychain: baker}), srv.Host+"/team/app")
	if _, _, err := repo.Manifest(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	if err := repo.Upload(t.Context(), registry.Bytes(small)); err != nil {
		t.Error(err)
	}
	if found, err := repo.HasBlob(t.Context(), descriptor(t, registry.Bytes(small)).Digest); !found || err != nil {
		t.Errorf("blob there: %v, %v", found, err)
	}
}

// A probe does not wait for the ping of another request, nor that for it.
func TestProbeBesidePing(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{Latency: 20 * time.Millisecond})
	repo := repository(t, client(t, registry.Options{}), srv.Host+"/team/app")
	if err := repo.PutManifest(t.Context(), "v1", types.OCIImageIndex, manifest); err != nil {
		t.Fatal(err)
	}
	srv.Reset()
	repo = repository(t, client(t, registry.Options{}), srv.Host+"/team/app")
	read := make(chan error)
	go func() {
		_, _, err := repo.Manifest(t.Context(), "v1")
		read <- err
	}()
	err := repo.Upload(t.Context(), registry.Bytes(small))
	if err := <-read; err != nil {
		t.Error(err)
	}
	if err != nil {
		t.Error(err)
	}
	if got := srv.RoundTrips(); got != 2 {
		t.Errorf("%d round trips, want 2: %q", got, requests(srv))
	}
}
