// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// plainOnly is registries that speak plain HTTP: somebody who answers for them
// ends every handshake.
type plainOnly struct{ plain atomic.Int64 }

func (p *plainOnly) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		return nil, http.ErrSchemeMismatch
	}
	p.plain.Add(1)
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// A registry that ends handshakes gets no plain HTTP instead, and no password,
// wherever it is but on this machine.
func TestPlainHTTP(t *testing.T) {
	for _, c := range []struct {
		host     string
		insecure bool
		ok       bool
	}{
		{"127.0.0.1:5000", false, true},
		{"localhost:5000", false, true},
		{"[::1]:5000", false, true},
		{"10.0.0.5:5000", false, false},
		{"192.168.1.5", false, false},
		{"registry.local", false, false},
		{"registry.example.com", false, false},
		{"10.0.0.5:5000", true, true},
		{"registry.example.com", true, true},
	} {
		wire := &plainOnly{}
		var opts []name.Option
		if c.insecure {
			opts = append(opts, name.Insecure)
		}
		repo, err := name.NewRepository(c.host+"/team/app", opts...)
		if err != nil {
			t.Fatal(err)
		}
		r := client(t, registry.Options{Transport: wire, Insecure: c.insecure, Keychain: baker, Retries: -1}).Repository(repo)
		_, err = r.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest)
		if ok := err == nil; ok != c.ok || ok != (wire.plain.Load() > 0) {
			t.Errorf("%s, insecure %v: %v; %d requests over plain HTTP", c.host, c.insecure, err, wire.plain.Load())
		}
		if !c.ok && (!errors.Is(err, registry.ErrUnavailable) || !strings.Contains(err.Error(), "HTTP response to HTTPS client")) {
			t.Errorf("%s: %v", c.host, err)
		}
	}
}
