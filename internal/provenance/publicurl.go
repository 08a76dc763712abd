// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package provenance

import (
	"net/url"
	"strings"
)

// PublicURL is an absolute URL without what may be a secret in it: user,
// password, query, fragment; and without a slash at its end. It is empty for
// what is no such URL, since then nobody knows where in it a secret is.
func PublicURL(s string) string {
	u, err := url.Parse(s)
	// In https://user:12/34@host the password's slash has ended the host.
	if err != nil || u.Scheme == "" || u.Opaque != "" || u.Host == "" || u.Port() != "" && u.User == nil && strings.Contains(u.Path, "@") {
		return ""
	}
	public := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return strings.TrimSuffix(public.String(), "/")
}
