// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

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

func (f *remoteFlags) keychain(env *environment) (*credentials.Keychain, error) {
	keychain, err := credentials.New(f.places(env))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading --authfile: %w", fileError(f.authFile, err))
	}
	return keychain, err
}
