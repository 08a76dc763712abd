// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package ctxio makes readers hear a context.
package ctxio

import (
	"context"
	"io"
)

// Reader returns a reader of r that fails with the cause of ctx's end from then
// on. A Read that waits is not woken up.
func Reader(ctx context.Context, r io.Reader) io.Reader { return reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
