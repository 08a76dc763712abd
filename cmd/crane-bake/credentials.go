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

// keychain finds credentials in --authfile alone, or else where Docker and
// Podman keep them.
func (f *remoteFlags) keychain(env *environment) (*credentials.Keychain, error) {
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // a container may have none
	}
	keychain, err := credentials.New(credentials.Places{AuthFile: f.authFile, LookupEnv: env.lookup, Home: home})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading --authfile: %w", fileError(f.authFile, err))
	}
	return keychain, err
}
