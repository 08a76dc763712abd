// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package provenance_test

import (
	"testing"

	"github.com/crane-bake/crane-bake/internal/provenance"
)

func TestPublicURL(t *testing.T) {
	for _, tc := range []struct{ name, url, want string }{
		{"nothing", "", ""},
		{"as it is", "https://example.com/a@b/c%2Fd", "https://example.com/a@b/c%2Fd"},
		{"slash", "https://example.com:8080/", "https://example.com:8080"},
		{"user", "ssh://git@example.com/a", "ssh://example.com/a"},
		{"password", "https://user:secret@example.com/a/", "https://example.com/a"},
		{"query", "https://example.com/a/?token=secret", "https://example.com/a"},
		{"empty query", "https://example.com/a?#secret", "https://example.com/a"},
		{"password with a slash", "https://user:12/secret@example.com/a", ""},
		{"another one", "https://user:se/cret@example.com/a", ""},
		{"no slashes", "secret:x-oauth@example.com/a", ""},
		{"no host", "https:///secret", ""},
		{"no scheme", "//example.com/a", ""},
		{"path", "/srv/secret", ""},
		{"file", "file:///srv/secret", ""},
		{"bad escape", "https://example.com/%zz", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := provenance.PublicURL(tc.url); got != tc.want {
				t.Errorf("%q becomes %q, want %q", tc.url, got, tc.want)
			}
		})
	}
}
