// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
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

	pinging chan struct{} // taken by who pings
	pinged  atomic.Pointer[pingAnswer]
	probed  atomic.Bool // whether a request has gone beside the ping

	mu   sync.Mutex
	ways map[string]*way // by scopes

	// What this registry turned out not to do.
	noMonolithicPost atomic.Bool
	mounts           refusals
	noReferrers      atomic.Bool
	plain            sync.Map // by repository: its answers to uploads are out of spec

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
	rt     http.RoundTripper
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
func (h *host) transportFor(ctx context.Context, to access, watch *watch) (http.RoundTripper, error) {
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
	if w.rt != nil {
		return w.rt, nil
	}
	rt, err := transport.NewWithContext(ctx, h.registry, auth, pingedTransport{h.client.wire, h.pinged.Load()}, to.scopes)
	if err != nil {
		return nil, &tokenError{TokenFailure(err)}
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
	if err := take(ctx, h.pinging); err != nil {
		return err
	}
	defer func() { <-h.pinging }()
	if h.pinged.Load() != nil {
		return nil
	}
	rec := h.recordPing(h.client.wire)
	if _, err := transport.Ping(ctx, h.registry, rec); err != nil {
		return rec.reason(err)
	}
	h.pinged.Store(rec.answer.Load())
	return nil
}

// recordPing keeps the answer that decided a ping: the last one, because
// go-containerregistry tries https before http where both may be used.
type recordPing struct {
	inner   http.RoundTripper
	host    string
	plainOK bool // plain HTTP may be tried
	answer  atomic.Pointer[pingAnswer]
	// The failures of https and of http.
	secure, plain atomic.Pointer[error]
}

// recordPing is for a ping over inner.
func (h *host) recordPing(inner http.RoundTripper) *recordPing {
	name := h.registry.RegistryStr()
	addr, ok := literal((&url.URL{Host: name}).Hostname())
	return &recordPing{inner: inner, host: name, plainOK: h.client.opts.Insecure || ok && addr.IsLoopback()}
}

// errNoPlain ends the attempt to ping over plain HTTP. go-containerregistry
// makes it for private addresses and names in .local too.
var errNoPlain = errors.New("plain HTTP is not allowed")

// reason is the part of err, the failures of both schemes, that says something
// of the registry.
func (t *recordPing) reason(err error) error {
	secure, plain, answer := t.secure.Load(), t.plain.Load(), t.answer.Load()
	switch {
	case secure == nil:
	case !t.plainOK:
		return *secure
	case speaksNoTLS(*secure) && plain != nil:
		return *plain
	case isHopeless(*secure) && !speaksNoTLS(*secure):
		return *secure // a certificate, of either side; what http got is a 400
	case plain != nil:
		return &unreachableError{t.host, *secure, *plain, err}
	case answer != nil && answer.status == http.StatusBadRequest:
		return *secure // which broke off; who speaks TLS answers http so
	}
	return err
}

func (t *recordPing) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "http" && !t.plainOK {
		return nil, errNoPlain
	}
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
