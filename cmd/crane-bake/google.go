// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/google"
)

// googleKeychain has what a machine has for Google's registries: application
// default credentials, else those of gcloud. That of go-containerregistry would
// keep an interrupted search for a machine that has none.
type googleKeychain struct {
	mu    sync.Mutex
	found authn.Authenticator // nil until a search ended by itself
}

func (k *googleKeychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), target)
}

// ResolveContext searches until ctx ends. What it finds fetches tokens later,
// too, in the context that it was made with: that one has to outlast ctx.
func (k *googleKeychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	if !isGoogle(target.RegistryStr()) {
		return authn.Anonymous, nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.found != nil {
		return k.found, nil
	}
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	found, err := google.NewEnvAuthenticator(lasting)
	if err != nil {
		found, err = google.NewGcloudAuthenticator(lasting)
	}
	if !stop() {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		found = authn.Anonymous // what is public needs none
	}
	k.found = found
	return found, nil
}

func isGoogle(host string) bool {
	return host == "gcr.io" || strings.HasSuffix(host, ".gcr.io") || strings.HasSuffix(host, ".pkg.dev") || strings.HasSuffix(host, ".google.com")
}
