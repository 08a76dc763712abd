// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

func TestLogin(t *testing.T) {
	guess := keychain{baker.user, "guess"}
	const ping = "GET /v2/"
	for _, c := range []struct {
		name    string
		opts    registrytest.Options
		as      keychain
		checked bool
		want    []string // requests
		kind    string   // of the error, empty is none
	}{
		{name: "basic", opts: registrytest.Options{Auth: rights(nil, 0)}, as: baker, checked: true, want: []string{ping, ping}},
		{name: "tokens", opts: registrytest.Options{Auth: rights(&registrytest.Bearer{}, 0)}, as: baker, checked: true, want: []string{ping, "GET /token", ping}},
		{name: "open", as: baker, want: []string{ping, ping}},
		{name: "basic, wrong", opts: registrytest.Options{Auth: rights(nil, 0)}, as: guess, want: []string{ping, ping}, kind: "denied"},
		{name: "tokens, wrong", opts: registrytest.Options{Auth: rights(&registrytest.Bearer{}, 0)}, as: guess, want: []string{ping, "GET /token"}, kind: "denied"},
		{name: "busy", opts: registrytest.Options{Auth: rights(nil, 0), Faults: registrytest.First(1, "GET", "/v2/", registrytest.Fault{Status: 503})}, as: baker, checked: true, want: []string{ping, ping, ping}},
		{name: "too busy", opts: registrytest.Options{Faults: registrytest.First(9, "GET", "/v2/", registrytest.Fault{Status: 429, Header: http.Header{"Retry-After": {"600"}}})}, as: baker, want: []string{ping}, kind: "unavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := registrytest.Start(t, c.opts)
			reg, err := name.NewRegistry(srv.Host)
			if err != nil {
				t.Fatal(err)
			}
			checked, err := client(t, registry.Options{Keychain: c.as}).Login(t.Context(), reg)
			var kinds []string
			if c.kind != "" {
				kinds = []string{c.kind}
			}
			if diff := cmp.Diff(kinds, kindsOf(err)); diff != "" || checked != c.checked || err != nil && kinds == nil {
				t.Errorf("checked %v; kinds of %v (-want +got):\n%s", checked, err, diff)
			}
			if err != nil && !strings.HasPrefix(err.Error(), "logging in to "+srv.Host+": ") {
				t.Errorf("got %v", err)
			}
			if diff := cmp.Diff(c.want, requests(srv)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
		})
	}
}

// A page to log in on says nothing about a password.
func TestLoginRedirected(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/v2/":
			fmt.Fprint(w, "<html>")
		case r.Header.Get("Authorization") == "":
			w.Header().Set("WWW-Authenticate", `Basic realm="here"`)
			w.WriteHeader(http.StatusUnauthorized)
		default:
			http.Redirect(w, r, "/page", http.StatusFound)
		}
	}))
	t.Cleanup(srv.Close)
	reg, err := name.NewRegistry(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = client(t, registry.Options{Keychain: baker}).Login(t.Context(), reg)
	if err == nil || !strings.HasSuffix(err.Error(), "what answers is not the registry") {
		t.Errorf("got %v", err)
	}
}

// fickle is a registry that nothing answers for over https, and that asks for a
// password over http.
type fickle struct{ secure, plain []string } // the credentials that came

func (f *fickle) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		f.secure = append(f.secure, req.Header.Get("Authorization"))
		if len(f.secure) > 1 {
			return nil, http.ErrSchemeMismatch
		}
	} else {
		f.plain = append(f.plain, req.Header.Get("Authorization"))
	}
	return &http.Response{
		StatusCode: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {`Basic realm="x"`}},
		Body: http.NoBody, Request: req,
	}, nil
}

// A registry on a private address that speaks https at first gets no password
// over http afterwards.
func TestLoginStaysWithHTTPS(t *testing.T) {
	for _, host := range []string{"10.0.0.5:5000", "192.168.1.5", "registry.local", "registry.example.com"} {
		wire := &fickle{}
		reg, err := name.NewRegistry(host)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client(t, registry.Options{Transport: wire, Keychain: baker, Retries: -1}).Login(t.Context(), reg); err == nil {
			t.Errorf("%s: no error", host)
		}
		if len(wire.plain) > 0 {
			t.Errorf("%s: sent over plain HTTP: %q", host, wire.plain)
		}
	}
}

// A registry that may not speak plain HTTP, and does, is known by its error.
func TestErrPlainHTTP(t *testing.T) {
	for host, want := range map[string]bool{"10.0.0.5:5000": true, "registry.example.com": true, "127.0.0.1:5000": false} {
		reg, err := name.NewRegistry(host)
		if err != nil {
			t.Fatal(err)
		}
		wire := &fickle{secure: []string{""}}
		_, err = client(t, registry.Options{Transport: wire, Keychain: baker, Retries: -1}).Login(t.Context(), reg)
		if err == nil || errors.Is(err, registry.ErrPlainHTTP) != want || (len(wire.plain) == 0) != want {
			t.Errorf("%s: %v; sent over plain HTTP: %q", host, err, wire.plain)
		}
	}
}
