// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/docker/cli/cli/config/configfile"
	"github.com/docker/cli/cli/config/types"
	"github.com/google/go-containerregistry/pkg/authn"
)

// keychain finds credentials in --authfile alone, or else in the variable
// DOCKER_AUTH_CONFIG (the content of such a file, as CI systems pass it), and
// then where Docker and Podman keep them.
func (f *remoteFlags) keychain(env *environment) (authn.Keychain, error) {
	if f.authFile != "" {
		file, err := os.Open(f.authFile)
		if err != nil {
			return nil, fmt.Errorf("reading --authfile: %w", err)
		}
		defer file.Close()
		return readAuthFile("--authfile "+f.authFile, file)
	}
	text := env.getenv("DOCKER_AUTH_CONFIG")
	if text == "" {
		return authn.DefaultKeychain, nil
	}
	fromEnv, err := readAuthFile("$DOCKER_AUTH_CONFIG", strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	return authn.NewMultiKeychain(fromEnv, authn.DefaultKeychain), nil
}

// authFile finds credentials in one file of Docker's format.
type authFile struct{ config *configfile.ConfigFile }

// readAuthFile reads an auth file. Its errors do not quote it.
func readAuthFile(name string, r io.Reader) (authn.Keychain, error) {
	config := configfile.New("")
	if err := config.LoadFromReader(r); err != nil {
		return nil, errUsage("%s is no auth file as docker login writes it", name)
	}
	return authFile{config}, nil
}

func (f authFile) Resolve(target authn.Resource) (authn.Authenticator, error) {
	for _, key := range []string{target.String(), target.RegistryStr()} {
		if key == "index.docker.io" {
			key = authn.DefaultAuthKey
		}
		c, err := f.config.GetAuthConfig(key)
		if err != nil {
			return nil, err
		}
		if c != (types.AuthConfig{}) && c != (types.AuthConfig{ServerAddress: c.ServerAddress}) {
			return authn.FromConfig(authn.AuthConfig{
				Username: c.Username, Password: c.Password, Auth: c.Auth,
				IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken,
			}), nil
		}
	}
	return authn.Anonymous, nil
}
