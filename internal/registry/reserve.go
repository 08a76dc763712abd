// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"net/url"
)

// reservation is an upload session that was opened ahead of its blob.
type reservation struct {
	opened chan struct{} // closed when the registry has answered
	at     url.URL
	err    error
}

// Reserve opens an upload session in the background, for a blob that is still
// being made: its Upload then takes one round trip less. A reservation that
// fails costs nothing but itself.
func (r *Repository) Reserve(ctx context.Context) {
	res := &reservation{opened: make(chan struct{})}
	r.mu.Lock()
	r.reserved = append(r.reserved, res)
	r.mu.Unlock()
	go func() {
		defer close(res.opened)
		res.at, res.err = r.openUpload(ctx)
	}()
}

// takeReserved returns a session that Reserve opened, if there is one.
func (r *Repository) takeReserved(ctx context.Context) (url.URL, bool) {
	r.mu.Lock()
	if len(r.reserved) == 0 {
		r.mu.Unlock()
		return url.URL{}, false
	}
	res := r.reserved[0]
	r.reserved = r.reserved[1:]
	r.mu.Unlock()
	select {
	case <-res.opened:
		return res.at, res.err == nil
	case <-ctx.Done():
		return url.URL{}, false
	}
}
