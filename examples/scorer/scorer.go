// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package scorer holds the files of the example bake, so that the demo can
// bake them without a checkout.
package scorer

import "embed"

// Files is the example's directory.
//
//go:embed bake.yaml model.py3 input.avsc output.avsc rest.json kafka.json
var Files embed.FS
