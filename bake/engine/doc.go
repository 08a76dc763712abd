// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package engine is the contract between a baked image and the ModelOp Center
// or FastScore engine in it: which environment variables say what, what the
// model, schema and stream files that they name must look like, and how all of
// that must fit together.
//
// It takes bytes and returns findings. It reads no network, no registry and no
// file system; whoever calls it brings the files as an Image.
//
// Bindings are the contract's variables: Env writes them, Decode reads them,
// and both agree for all bindings that Validate finds no error in. Check
// applies every rule to an image. The rules, and the severity of each, are
// those of Rules; no finding has another one.
//
// An Error is a bake that does not work, a Warning one that is probably not
// meant, and a Note never counts. Files that the package cannot see, such as
// those of a base image whose layers were not read, are never an error. The
// values of secrets are in no finding.
package engine
