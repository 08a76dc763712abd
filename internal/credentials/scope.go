// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// scopes is what an entry for target may be about, REGISTRY[/PATH], the longest
// first and the registry last.
func scopes(target authn.Resource) []string {
	host := registry(target.RegistryStr())
	path := strings.TrimPrefix(strings.TrimPrefix(target.String(), target.RegistryStr()), "/")
	var out []string
	for path != "" {
		out = append(out, host+"/"+path)
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	return append(out, host)
}

// scopeOf is the scope of an entry's key. Keys of the older form are URLs, such
// as https://registry.example.com/v1/, and stand for all of their host.
func scopeOf(key string) string {
	rest, secure := strings.CutPrefix(key, "https://")
	rest, plain := strings.CutPrefix(rest, "http://")
	host, path, _ := strings.Cut(rest, "/")
	if secure || plain || path == "v1/" || path == "v2/" {
		path = ""
	}
	if path = strings.TrimSuffix(path, "/"); path != "" {
		return registry(host) + "/" + path
	}
	return registry(host)
}

// registry gives Docker Hub, which has several names, one of them.
func registry(host string) string {
	switch host {
	case "docker.io", "registry-1.docker.io":
		return name.DefaultRegistry
	}
	return host
}
