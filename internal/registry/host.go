// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// host is what a client knows of one registry.
type host struct {
	client   *Client
	registry name.Registry

	pinging sync.Mutex
	pinged  *pingAnswer

	mu   sync.Mutex
	ways map[string]*way // by scopes

	// What this registry turned out not to do.
	noMonolithicPost atomic.Bool
	noMount          sync.Map // source repository name: struct{}
	noReferrers      atomic.Bool

	fallbacks sync.Map // repository and tag: the chan struct{} of who changes it
}

// way is an authenticated transport for one set of scopes.
type way struct {
	mu sync.Mutex
	rt http.RoundTripper
}

// transportFor returns the transport that carries a token for scopes. The
// token request of one set of scopes does not wait for that of another.
func (h *host) transportFor(ctx context.Context, scopes []string) (http.RoundTripper, error) {
	key := strings.Join(scopes, " ")
	h.mu.Lock()
	w, ok := h.ways[key]
	if !ok {
		w = &way{}
		h.ways[key] = w
	}
	h.mu.Unlock()

	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rt != nil {
		return w.rt, nil
	}
	if err := h.ping(ctx); err != nil {
		return nil, err
	}
	auth, err := h.client.opts.Keychain.Resolve(h.registry)
	if err != nil {
		return nil, &credentialsError{err}
	}
	rt, err := transport.NewWithContext(ctx, h.registry, auth, pingedTransport{h.client.wire, h.pinged}, scopes)
	if err != nil {
		return nil, fmt.Errorf("getting a token: %w", withoutURL(err))
	}
	w.rt = rt
	return rt, nil
}

// pingAnswer is what a registry answered to GET /v2/.
type pingAnswer struct {
	scheme string
	status int
	header http.Header
	body   []byte
}

// ping sends GET /v2/ unless an earlier call got its answer.
func (h *host) ping(ctx context.Context) error {
	h.pinging.Lock()
	defer h.pinging.Unlock()
	if h.pinged != nil {
		return nil
	}
	rec := &recordPing{inner: h.client.wire, host: h.registry.RegistryStr()}
	if _, err := transport.Ping(ctx, h.registry, rec); err != nil {
		return rec.reason(err)
	}
	h.pinged = rec.answer.Load()
	return nil
}

// recordPing keeps the answer that decided a ping: the last one, because
// go-containerregistry tries https before http where both may be used.
type recordPing struct {
	inner  http.RoundTripper
	host   string
	answer atomic.Pointer[pingAnswer]
	// The failures of https and of http.
	secure, plain atomic.Pointer[error]
}

// reason is the part of err, the failures of both schemes, that says something
// of the registry.
func (t *recordPing) reason(err error) error {
	secure, plain := t.secure.Load(), t.plain.Load()
	switch {
	case secure == nil:
	case speaksNoTLS(*secure) && plain != nil:
		return *plain
	case isHopeless(*secure) && !speaksNoTLS(*secure):
		return *secure // a certificate; what http got is a 400
	case plain != nil:
		return &unreachableError{t.host, *secure, *plain, err}
	}
	return err
}

func (t *recordPing) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.inner.RoundTrip(req)
	if err != nil {
		t.failed(req, err)
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	res.Body.Close()
	if err != nil {
		t.failed(req, err)
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	t.answer.Store(&pingAnswer{req.URL.Scheme, res.StatusCode, res.Header, body})
	return res, nil
}

func (t *recordPing) failed(req *http.Request, err error) {
	if req.URL.Scheme == "http" {
		t.plain.Store(&err)
	} else {
		t.secure.Store(&err)
	}
}

// pingedTransport answers GET /v2/ from memory: go-containerregistry pings
// once for each set of scopes, a round trip that teaches nothing new.
type pingedTransport struct {
	inner http.RoundTripper
	ping  *pingAnswer
}

var errOtherScheme = errors.New("the registry answered on the other scheme")

func (t pingedTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if t.ping == nil || req.Method != http.MethodGet || req.URL.Path != "/v2/" {
		return t.inner.RoundTrip(req)
	}
	if req.URL.Scheme != t.ping.scheme {
		return nil, errOtherScheme
	}
	return &http.Response{
		Status:     http.StatusText(t.ping.status),
		StatusCode: t.ping.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:  t.ping.header.Clone(),
		Body:    io.NopCloser(bytes.NewReader(t.ping.body)),
		Request: req,
	}, nil
}
