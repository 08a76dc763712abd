// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"fmt"
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
// as https://registry.example.com/v1/, and stand for all of their host whatever
// their path is, as they do for Docker and Podman.
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

// A Scope is what credentials are for: a registry, or the repositories of it
// below a path.
type Scope struct {
	host string // as it was written
	path string // empty is all of the registry
}

// ParseScope reads REGISTRY[/PATH].
func ParseScope(s string) (Scope, error) {
	host, path, below := strings.Cut(s, "/")
	if strings.Contains(s, "://") || host == "" || below && path == "" {
		return Scope{}, fmt.Errorf("%q: want REGISTRY[/PATH], as image names begin", s)
	}
	if _, err := name.NewRegistry(host); err != nil {
		return Scope{}, fmt.Errorf("%q: %q is no registry", s, host)
	}
	// A path is the beginning of a repository's name, or all of it.
	if _, err := name.NewRepository(host + "/" + path + "/x"); below && err != nil {
		return Scope{}, fmt.Errorf("%q: %q is no path of a repository", s, path)
	}
	return Scope{host, path}, nil
}

// RegistryStr is the registry's host, as authn.Resource wants it.
func (s Scope) RegistryStr() string { return registry(s.host) }

// String is REGISTRY[/PATH] with the registry's host.
func (s Scope) String() string {
	if s.path == "" {
		return s.RegistryStr()
	}
	return s.RegistryStr() + "/" + s.path
}

// key is what an auth file, or a helper, knows the scope as. Docker has a URL
// of old for its Hub, and Podman, which alone has paths, the name in use.
func (s Scope) key() string {
	switch {
	case s.path == "":
		return server(s.RegistryStr())
	case s.RegistryStr() == name.DefaultRegistry:
		return "docker.io/" + s.path
	}
	return s.String()
}
