// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/github"

	"github.com/crane-bake/crane-bake/internal/credentials"
)

// places are where credentials may be: in --authfile alone, or else where Docker
// and Podman keep them.
func (f *remoteFlags) places(env *environment) credentials.Places {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // a container may have none
	}
	return credentials.Places{AuthFile: f.authFile, LookupEnv: env.lookup, Home: home}
}

// keychain finds credentials in those places, and then, unless --authfile says
// where they are, with what a machine in a cloud has for the cloud's registry.
func (f *remoteFlags) keychain(env *environment) (authn.Keychain, error) {
	files, err := credentials.New(f.places(env))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("reading --authfile: %w", fileError(f.authFile, err))
	case err != nil:
		return nil, err
	case f.authFile != "":
		return files, nil
	}
	return authn.NewMultiKeychain(files, github.Keychain, &googleKeychain{}), nil
}
