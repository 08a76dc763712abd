// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"strings"
	"testing"
)

// TestTokenFailure is in the package: the texts are those of a dependency.
func TestTokenFailure(t *testing.T) {
	err := tokenFailure(errors.New("no token in bearer response:\n{\"refresh_token\": \"secret\"}"))
	if !errors.Is(err, errNoToken) {
		t.Errorf("got %v", err)
	}
	for text, want := range map[string]string{
		`invalid realm in www-authenticate: realm scheme "http" not allowed for a secure registry; use https`:             "not speak https",
		`invalid realm in www-authenticate: parsing realm "https://[x?secret": bad`:                                       "not valid",
		`malformed www-authenticate, missing realm: map[service:secret]`:                                                  "names no token server",
		`refusing token-server redirect to "https://10.0.0.1/?secret": realm host "x" is a private or link-local address`: "private",
	} {
		err := tokenFailure(errors.New(text))
		if !isHopeless(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: got %v", text, err)
		}
	}
}
