// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// A proxy that wants a password is asked once, and refuses alike whatever the
// scheme is.
func TestProxyRefuses(t *testing.T) {
	for _, insecure := range []bool{false, true} {
		var got []string
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			got = append(got, r.Method)
			w.WriteHeader(http.StatusProxyAuthRequired)
		}))
		defer srv.Close()
		var opts []name.Option
		want := []string{"CONNECT"}
		if insecure {
			opts, want = append(opts, name.Insecure), append(want, "GET")
		}
		repo, err := name.NewRepository("registry.test/team/app", opts...)
		if err != nil {
			t.Fatal(err)
		}
		tr := registry.NewTransport()
		defer tr.CloseIdleConnections()
		tr.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: srv.Listener.Addr().String()})
		_, err = client(t, registry.Options{Transport: tr, Insecure: insecure}).Repository(repo).HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest)
		if diff := cmp.Diff([]string{"denied"}, kindsOf(err)); diff != "" || !strings.Contains(err.Error(), "407 Proxy Authentication Required") {
			t.Errorf("insecure %v: %v", insecure, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("insecure %v (-want +got):\n%s", insecure, diff)
		}
	}
}
