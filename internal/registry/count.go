// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"sync/atomic"
)

type countKey struct{}

// Counting returns a context whose requests are counted, and their number so
// far: that of ctx, if ctx is such a context itself.
func Counting(ctx context.Context) (context.Context, *atomic.Int64) {
	if n, ok := ctx.Value(countKey{}).(*atomic.Int64); ok {
		return ctx, n
	}
	n := new(atomic.Int64)
	return context.WithValue(ctx, countKey{}, n), n
}
