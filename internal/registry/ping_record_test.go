// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"net/http"
	"testing"
)

type echo struct{}

func (echo) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Scheme": {req.URL.Scheme}}, Body: http.NoBody, Request: req}, nil
}

// TestPingRecord is in the package: which answer comes last is not for a test
// to say from outside.
func TestPingRecord(t *testing.T) {
	rec := &pingRecord{inner: echo{}, host: "registry.test", plainOK: true}
	for _, order := range [][]string{{"https", "http"}, {"http", "https"}} {
		for _, scheme := range order {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, scheme+"://registry.test/v2/", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := rec.RoundTrip(req); err != nil {
				t.Fatal(err)
			}
		}
		for _, plain := range []bool{false, true} {
			want := map[bool]string{false: "https", true: "http"}[plain]
			if a := rec.answers(plain).Load(); a.scheme != want || a.header.Get("Scheme") != want {
				t.Errorf("%v: plain %v: got the answer over %s", order, plain, a.scheme)
			}
		}
	}
}
