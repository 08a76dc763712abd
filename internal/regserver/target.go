// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// An endpoint is a row of the spec's "Endpoints" table without its method.
type endpoint string

const (
	baseEndpoint      endpoint = "base"
	catalogEndpoint   endpoint = "catalog"
	tagsEndpoint      endpoint = "tags"
	referrersEndpoint endpoint = "referrers"
	blobEndpoint      endpoint = "blob"
	manifestEndpoint  endpoint = "manifest"
	uploadsEndpoint   endpoint = "uploads"
	sessionEndpoint   endpoint = "session"
)

// A target is what a request's path names.
type target struct {
	endpoint endpoint
	name     string // repository
	ref      string // tag, digest or session, as it stands in the path
}

func (t target) named() bool {
	return t.endpoint != baseEndpoint && t.endpoint != catalogEndpoint
}

// parseTarget splits a decoded path from its end, because a repository's name
// may have components that are called "blobs" or "manifests".
func parseTarget(path string) (target, bool) {
	rest, ok := strings.CutPrefix(path, "/v2")
	switch {
	case !ok:
		return target{}, false
	case rest == "" || rest == "/":
		return target{endpoint: baseEndpoint}, true
	case rest == "/_catalog":
		return target{endpoint: catalogEndpoint}, true
	}
	part := strings.Split(rest, "/") // the first is empty
	slices.Reverse(part)
	t := target{ref: part[0]}
	skip := 2
	switch {
	case len(part) < 4:
		return target{}, false
	case part[2] == "blobs" && part[1] == "uploads":
		t.endpoint, skip = sessionEndpoint, 3
		if t.ref == "" {
			t.endpoint = uploadsEndpoint
		}
	case part[1] == "tags" && part[0] == "list":
		t.endpoint = tagsEndpoint
	case part[1] == "manifests":
		t.endpoint = manifestEndpoint
	case part[1] == "blobs":
		t.endpoint = blobEndpoint
	case part[1] == "referrers":
		t.endpoint = referrersEndpoint
	default:
		return target{}, false
	}
	name := part[skip : len(part)-1]
	slices.Reverse(name)
	t.name = strings.Join(name, "/")
	return t, true
}

// The grammars of the spec's "Pulling manifests".
var (
	nameGrammar = lazyregexp.New(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)
	tagGrammar  = lazyregexp.New(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)
)

// maxName is the length that distribution and most clients accept.
const maxName = 255

func validName(s string) bool { return len(s) <= maxName && nameGrammar().MatchString(s) }

func validTag(s string) bool { return tagGrammar().MatchString(s) }
