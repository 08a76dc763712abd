// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package credentials finds a registry's credentials where Docker and Podman
// keep them: in auth files (containers-auth.json(5)) and credential helpers.
package credentials

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// Places say where credentials may be.
type Places struct {
	// AuthFile is searched alone where it is given; it must be there.
	AuthFile string
	// LookupEnv gives the variables that name further places: in their order
	// REGISTRY_AUTH_FILE, DOCKER_CONFIG, DOCKER_AUTH_CONFIG (an auth file's
	// content), XDG_RUNTIME_DIR, XDG_CONFIG_HOME. Nil gives none.
	LookupEnv func(string) (string, bool)
	// Home is the home directory; empty is none.
	Home string
}

// New returns a Keychain over places. A missing or broken AuthFile is an error
// now; other files are read when they are asked, and need not be there.
func New(places Places) (*Keychain, error) {
	k := &Keychain{limit: helperLimit, turns: map[string]*turn{}}
	if places.AuthFile != "" {
		f, err := readFile(places.AuthFile)
		if err != nil {
			return nil, err
		}
		k.sources = []source{func() (*authFile, error) { return f, nil }}
		return k, nil
	}
	getenv := func(key string) string {
		if places.LookupEnv == nil {
			return ""
		}
		v, _ := places.LookupEnv(key)
		return v
	}
	add := func(read func() (*authFile, error)) { k.sources = append(k.sources, sync.OnceValues(read)) }
	addFile := func(elem ...string) { add(func() (*authFile, error) { return readIfThere(filepath.Join(elem...)) }) }

	// A variable that names Docker's or Podman's place stands for their usual
	// one, as it does for them.
	podmanFile, dockerDir := getenv("REGISTRY_AUTH_FILE"), getenv("DOCKER_CONFIG")
	if podmanFile != "" {
		addFile(podmanFile)
	}
	if dockerDir != "" {
		addFile(dockerDir, "config.json")
	}
	if text := getenv("DOCKER_AUTH_CONFIG"); text != "" {
		add(func() (*authFile, error) { return parse("$DOCKER_AUTH_CONFIG", []byte(text)) })
	}
	if podmanFile == "" {
		if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
			addFile(dir, "containers", "auth.json")
		}
		if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
			addFile(dir, "containers", "auth.json")
		} else if places.Home != "" {
			addFile(places.Home, ".config", "containers", "auth.json")
		}
	}
	if dockerDir == "" && places.Home != "" {
		addFile(places.Home, ".docker", "config.json")
	}
	return k, nil
}

// source reads an auth file once; nil is one that is not there.
type source func() (*authFile, error)

// A Keychain finds credentials in the first of its places that has some. It is
// safe for concurrent use, and asks a credential helper once for each server.
type Keychain struct {
	sources []source
	limit   time.Duration // of a helper's answer

	mu    sync.Mutex
	turns map[string]*turn // by helper and server
}

// Resolve is ResolveContext without a context.
func (k *Keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext returns the credentials for target: a registry, or a
// repository (REGISTRY/PATH), for which an entry of the longest part of its
// path wins. It is authn.Anonymous where there are none. The error is a
// *FileError for a broken auth file.
func (k *Keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	found, _, err := k.locate(ctx, target)
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return authn.Anonymous, nil
	}
	return authn.FromConfig(*found), nil
}

// Place is the auth file, or $VARIABLE, whose credentials for target are used;
// empty where there are none.
func (k *Keychain) Place(ctx context.Context, target authn.Resource) (string, error) {
	_, place, err := k.locate(ctx, target)
	return place, err
}

func (k *Keychain) locate(ctx context.Context, target authn.Resource) (*authn.AuthConfig, string, error) {
	for _, read := range k.sources {
		f, err := read()
		if err != nil {
			return nil, "", err
		}
		if f == nil {
			continue
		}
		found, err := k.find(ctx, f, scopes(target))
		if found != nil || err != nil {
			return found, f.name, err
		}
	}
	return nil, "", nil
}

// find looks for credentials in f, under the longest scope first. At each, a
// helper comes before what the file holds in plain text, as in Docker.
func (k *Keychain) find(ctx context.Context, f *authFile, scopes []string) (*authn.AuthConfig, error) {
	for i, scope := range scopes {
		helper := f.helper(scope)
		if host := i == len(scopes)-1; helper == "" && host {
			helper = f.store
		}
		if helper != "" {
			found, err := k.ask(ctx, helper, scope)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			if found != nil {
				return found, nil
			}
		}
		found, err := f.entry(scope)
		if found != nil || err != nil {
			return found, err
		}
	}
	return nil, nil
}

// readIfThere is readFile, or nil for a file that is not there, or in a
// directory that may not be entered: XDG_RUNTIME_DIR is another user's after
// su.
func readIfThere(name string) (*authFile, error) {
	if info, err := os.Stat(name); err != nil || info.IsDir() {
		return nil, nil
	}
	f, err := readFile(name)
	if os.IsNotExist(err) {
		return nil, nil
	}
	return f, err
}
