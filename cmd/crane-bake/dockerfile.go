// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/crane-bake/crane-bake/bake"
)

func isDockerfile(string) bool { return false }

type baseConfigs func()

func remoteBases(*bake.Remote) baseConfigs { return nil }

func (f *specFlags) loadDockerfile(context.Context, *hostFS, string, baseConfigs) ([]namedSpec, error) {
	return nil, nil
}
