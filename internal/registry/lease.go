// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// lease is an authenticated transport whose token runs out. A token that is
// refused costs nothing but a round trip, except where a body has been sent
// along: so it is replaced ahead of one when half of its time is over.
type lease struct {
	host   *host
	auth   authn.Authenticator
	scopes []string

	turn chan struct{} // taken by who reads or replaces what follows
	rt   http.RoundTripper
	half time.Time // when half of the token's time is over; zero is never
}

// newLease asks for a token, if the registry's ping was answered that it takes
// one.
func newLease(ctx context.Context, h *host, auth authn.Authenticator, scopes []string) (*lease, error) {
	l := &lease{host: h, auth: auth, scopes: scopes, turn: make(chan struct{}, 1)}
	return l, l.renew(ctx)
}

func (l *lease) renew(ctx context.Context) error {
	m := &minting{inner: l.host.client.wire}
	rt, err := transport.NewWithContext(ctx, l.host.registry, l.auth, pingedTransport{m, l.host.pinged.Load()}, l.scopes)
	if err != nil {
		return err
	}
	l.rt, l.half = rt, m.end()
	return nil
}

// RoundTrip sends req with the token.
func (l *lease) RoundTrip(req *http.Request) (*http.Response, error) {
	long := req.Body != nil && (req.ContentLength > smallUpload || req.ContentLength < 0)
	rt, err := l.transport(req.Context(), long && req.URL.Host == l.host.registry.RegistryStr())
	if err != nil {
		if req.Body != nil {
			req.Body.Close() // as a RoundTripper has to
		}
		return nil, err
	}
	return rt.RoundTrip(req)
}

// transport is that of go-containerregistry, whose token is new enough for a
// body if there is one. A token that cannot be replaced may still be good.
func (l *lease) transport(ctx context.Context, body bool) (http.RoundTripper, error) {
	if err := take(ctx, l.turn); err != nil {
		return nil, err
	}
	defer func() { <-l.turn }()
	if body && !l.half.IsZero() && time.Now().After(l.half) {
		if err := l.renew(ctx); err != nil {
			l.host.client.opts.Logger.Info("a token was not renewed", "for", l.host.registry, "because", tokenFailure(err))
		}
	}
	return l.rt, nil
}

// minting is the wire while a token is asked for: until end, it learns how long
// the token is good.
type minting struct {
	inner http.RoundTripper
	ended atomic.Bool
	half  time.Time
}

// defaultLifetime is how long a token is good whose server does not say
// (distribution project, token authentication specification).
const defaultLifetime = 60 * time.Second

func (m *minting) end() time.Time {
	m.ended.Store(true)
	return m.half
}

func (m *minting) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := m.inner.RoundTrip(req)
	if err != nil || m.ended.Load() || res.StatusCode != http.StatusOK {
		return res, err
	}
	raw, err := io.ReadAll(io.LimitReader(res.Body, 64<<10+1))
	if err != nil {
		res.Body.Close()
		return nil, err
	}
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(raw), res.Body), res.Body}
	var token struct {
		Seconds int64 `json:"expires_in"`
	}
	lifetime := defaultLifetime
	// Who reads the token says what is wrong with the rest.
	if json.Unmarshal(raw, &token) == nil && token.Seconds > 0 {
		lifetime = time.Duration(min(token.Seconds, int64(maxSeconds))) * time.Second
	}
	m.half = time.Now().Add(lifetime / 2)
	return res, nil
}
