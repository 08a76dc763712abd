// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
)

// host is what a client knows of one registry.
type host struct {
	client   *Client
	registry name.Registry

	pinging chan struct{} // taken by who pings
	pinged  atomic.Pointer[pingAnswer]
	probed  atomic.Bool // whether a request has gone beside the ping

	mu   sync.Mutex
	ways map[string]*way // by scopes

	// What this registry turned out not to do.
	noMonolithicPost atomic.Bool
	mounts           refusals
	noReferrers      atomic.Bool
	keepsSessions    atomic.Bool // it refuses to end uploads
	plain            sync.Map    // by repository: its answers to uploads are out of spec

	fallbacks sync.Map // repository and tag: the chan struct{} of who changes it
}

func newHost(c *Client, registry name.Registry) *host {
	return &host{
		client:   c,
		registry: registry,
		pinging:  make(chan struct{}, 1),
		ways:     map[string]*way{},
		mounts:   refusals{bySource: map[string]*refused{}},
	}
}

// access is what a request needs a token for.
type access struct {
	repo   name.Repository // that the request is sent to, and credentials are for
	scopes []string
}

// way is an authenticated transport for one set of scopes.
type way struct {
	making chan struct{} // taken by who asks for its token
	lease  *lease
}

// take waits for its turn, which ends with a receive from turn.
func take(ctx context.Context, turn chan struct{}) error {
	select {
	case turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// transportFor returns the transport that carries a token for the access. The
// token request of one set of scopes does not wait for that of another. The
// watch rests while credentials are found: that is not the registry's time.
func (h *host) transportFor(ctx context.Context, to access, watch *watch) (*lease, error) {
	key := strings.Join(to.scopes, " ")
	h.mu.Lock()
	w, ok := h.ways[key]
	if !ok {
		w = &way{making: make(chan struct{}, 1)}
		h.ways[key] = w
	}
	h.mu.Unlock()

	if err := h.ping(ctx); err != nil {
		return nil, err
	}
	watch.stop()
	auth, err := h.client.credentials.of(ctx, to.repo)
	watch.feed()
	if err != nil {
		return nil, err
	}
	if err := take(ctx, w.making); err != nil {
		return nil, err
	}
	defer func() { <-w.making }()
	if w.lease != nil {
		return w.lease, nil
	}
	l, err := newLease(ctx, h, auth, to.scopes)
	if err != nil {
		return nil, &tokenError{tokenFailure(err)}
	}
	w.lease = l
	return l, nil
}
