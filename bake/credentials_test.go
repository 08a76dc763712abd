// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// A keychain has one name and password for every registry.
type keychain struct{ user, password string }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

// pullAs is pullImage with credentials.
func pullAs(t testing.TB, ref string, k authn.Keychain) {
	t.Helper()
	img, err := remote.Image(reference(t, ref), remote.WithContext(t.Context()), remote.WithAuthFromKeychain(k))
	if err != nil {
		t.Fatalf("pulling %s: %v", ref, err)
	}
	validImage(t, img)
}

// pushAs stores an image with credentials.
func pushAs(t testing.TB, ref string, img remote.Taggable, k authn.Keychain) {
	t.Helper()
	if err := remote.Push(reference(t, ref), img, remote.WithContext(t.Context()), remote.WithAuthFromKeychain(k)); err != nil {
		t.Fatalf("pushing %s: %v", ref, err)
	}
}
