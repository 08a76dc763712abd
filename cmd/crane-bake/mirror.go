// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/spf13/pflag"
)

// registerMirrors adds the flag of the commands that read a base.
func (f *remoteFlags) registerMirrors(fs *pflag.FlagSet) {
	fs.StringArrayVar(&f.mirrors, "mirror", nil, "`HOST=MIRROR` read bases that are in registry HOST from MIRROR, HOST[:PORT][/PATH], where it has them; repeatable")
}

// mirrorsOf is what the flags say, the mirrors of each host in their order.
func (f *remoteFlags) mirrorsOf() (map[string][]string, error) {
	mirrors := map[string][]string{}
	for _, given := range f.mirrors {
		host, at, ok := strings.Cut(given, "=")
		if !ok || host == "" || at == "" {
			return nil, errUsage("--mirror %q: want HOST=MIRROR, such as docker.io=mirror.example.com/hub", given)
		}
		if _, err := name.NewRegistry(host); err != nil {
			return nil, errUsage("--mirror %q: %q is no registry: want HOST[:PORT]", given, host)
		}
		if _, err := name.NewRepository(at + "/x"); err != nil || strings.Contains(at, "://") {
			return nil, errUsage("--mirror %q: %q is no mirror: want HOST[:PORT][/PATH]", given, at)
		}
		mirrors[host] = append(mirrors[host], at)
	}
	return mirrors, nil
}
