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

// The first manifest is asked for beside the ping where there are no credentials
// to give. What it gets counts where the ping says that nobody has to.
func TestProbe(t *testing.T) {
	const (
		get  = "GET /v2/team/app/manifests/v1"
		ping = "GET /v2/"
	)
	readers := []registrytest.Right{{Repos: "*", Actions: []string{"pull"}}}
	open := func(b *registrytest.Bearer) *registrytest.Auth {
		auth := rights(b, 0)
		auth.Anonymous = readers
		return auth
	}
	answer := func(times int, f registrytest.Fault) func(int, *http.Request) registrytest.Fault {
		return registrytest.First(times, "GET", "/v2/team/app/manifests/v1", f)
	}
	status := func(times, status int) func(int, *http.Request) registrytest.Fault {
		return answer(times, registrytest.Fault{Status: status})
	}
	for _, test := range []struct {
		name  string
		opts  registrytest.Options
		known bool     // there are credentials
		want  []string // requests, of which the first two are sent side by side
		kind  string   // of the error, empty is none
	}{
		{name: "open", want: []string{get, ping}},
		{name: "open, with credentials", known: true, want: []string{ping, get}},
		{name: "basic", opts: registrytest.Options{Auth: rights(nil, 0)}, known: true, want: []string{ping, get}},
		{name: "basic, without credentials", opts: registrytest.Options{Auth: rights(nil, 0)}, want: []string{get, ping, get}, kind: "denied"},
		{name: "tokens", opts: registrytest.Options{Auth: rights(&registrytest.Bearer{}, 0)}, known: true, want: []string{ping, "GET /token", get}},
		{name: "tokens for everybody", opts: registrytest.Options{Auth: open(&registrytest.Bearer{})}, want: []string{get, ping, "GET /token", get}},
		{name: "not there", opts: registrytest.Options{Faults: status(1, 404)}, want: []string{get, ping}, kind: "not found"},
		{name: "a page", opts: registrytest.Options{Faults: answer(1, registrytest.Fault{Status: 200, Header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}})}, want: []string{get, ping, get}},
		{name: "elsewhere", opts: registrytest.Options{Faults: answer(1, registrytest.Fault{Status: 307, Header: http.Header{"Location": {"/v2/team/app/manifests/v2"}}})}, want: []string{get, ping, get}},
		{name: "401 once", opts: registrytest.Options{Faults: status(1, 401)}, want: []string{get, ping, get}},
		{name: "unavailable", opts: registrytest.Options{Faults: status(1, 503)}, want: []string{get, ping, get}},
		{name: "unavailable to nobody", opts: registrytest.Options{Auth: open(&registrytest.Bearer{}), Faults: status(1, 503)}, want: []string{get, ping, "GET /token", get}},
		{name: "cut", opts: registrytest.Options{Faults: answer(1, registrytest.Fault{Before: true})}, want: []string{get, ping, get}},
		{name: "cut amid the answer", opts: registrytest.Options{Faults: answer(1, registrytest.Fault{CutResponse: 3})}, want: []string{get, ping, get}},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := registrytest.Start(t, test.opts)
			fill := repository(t, client(t, registry.Options{Keychain: baker}), srv.Host+"/team/app")
			if err := fill.PutManifest(t.Context(), "v1", types.OCIImageIndex, manifest); err != nil {
				t.Fatal(err)
			}
			srv.Reset()
			opts := registry.Options{}
			if test.known {
				opts.Keychain = baker
			}
			repo := repository(t, client(t, opts), srv.Host+"/team/app")
			_, raw, err := repo.Manifest(t.Context(), "v1")
			if test.kind != "" {
				if diff := cmp.Diff([]string{test.kind}, kindsOf(err)); diff != "" {
					t.Errorf("kinds of %v (-want +got):\n%s", err, diff)
				}
			} else if err != nil || string(raw) != string(manifest) {
				t.Errorf("got %q, %v", raw, err)
			}
			got := requests(srv)
			if len(got) > 1 && got[0] == ping && test.want[0] == get {
				got[0], got[1] = got[1], got[0]
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
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
