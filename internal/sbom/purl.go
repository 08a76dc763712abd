// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"net/url"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// PURL is the package URL of an image with a fully qualified name (purl-spec,
// type oci), or "" without a name.
func PURL(name string, digest v1.Hash) string {
	repository, tag := splitName(name)
	if repository == "" {
		return ""
	}
	// Qualifiers are sorted by their keys.
	purl := "pkg:oci/" + escape(base(repository)) + "@" + strings.ReplaceAll(digest.String(), ":", "%3A") + "?repository_url=" + escape(repository)
	if tag != "" {
		purl += "&tag=" + escape(tag)
	}
	return purl
}

// splitName is REPOSITORY[:TAG][@DIGEST] without the digest.
func splitName(name string) (repository, tag string) {
	name, _, _ = strings.Cut(name, "@")
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		return name[:i], name[i+1:]
	}
	return name, ""
}

// escape escapes what has a meaning in a package URL; its colons and slashes
// have none in a qualifier.
func escape(s string) string {
	s = strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
	return strings.NewReplacer("%2F", "/", "%3A", ":").Replace(s)
}
