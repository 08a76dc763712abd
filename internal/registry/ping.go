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
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

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
	rec := h.newPingRecord(h.client.wire)
	challenge, err := transport.Ping(ctx, h.registry, rec)
	if err != nil {
		return rec.reason(err)
	}
	h.pinged.Store(rec.answers(challenge.Insecure).Load())
	return nil
}

// pingRecord keeps what is learned of a registry while go-containerregistry
// pings it: that may try http beside https, and use the answer of either.
type pingRecord struct {
	inner   http.RoundTripper
	host    string
	plainOK bool // plain HTTP may be tried

	// The answers and the failures of https and of http.
	secureAnswer, plainAnswer atomic.Pointer[pingAnswer]
	secure, plain             atomic.Pointer[error]
}

func (h *host) newPingRecord(inner http.RoundTripper) *pingRecord {
	name := h.registry.RegistryStr()
	addr, ok := literal((&url.URL{Host: name}).Hostname())
	return &pingRecord{inner: inner, host: name, plainOK: h.client.opts.Insecure || ok && addr.IsLoopback()}
}

// errNoPlain ends the attempt to ping over plain HTTP. go-containerregistry
// makes it for private addresses and names in .localhost too.
var errNoPlain = errors.New("plain HTTP is not allowed")

// reason is the part of err, the failures of both schemes, that says something
// of the registry.
func (t *pingRecord) reason(err error) error {
	secure, plain, answer := t.secure.Load(), t.plain.Load(), t.plainAnswer.Load()
	switch {
	case secure == nil:
	case !t.plainOK && errors.Is(*secure, http.ErrSchemeMismatch):
		return &plainError{*secure}
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
	var refusal *transport.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	return withoutURL(err)
}

func (t *pingRecord) RoundTrip(req *http.Request) (*http.Response, error) {
	own := t.own(req)
	if req.URL.Scheme == "http" && !t.plainOK {
		return nil, errNoPlain
	}
	if own != req {
		if err := checkAddress(req.Context(), own.URL, req.URL); err != nil {
			t.failed(own, err)
			return nil, err
		}
	}
	res, err := t.inner.RoundTrip(req)
	if err != nil {
		t.failed(own, err)
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	res.Body.Close()
	if err != nil {
		t.failed(own, err)
		return nil, err
	}
	res.Body, res.Request = io.NopCloser(bytes.NewReader(body)), own
	if own != req && res.StatusCode == http.StatusUnauthorized {
		// Whom that host lets in is not what the registry asks, and its token
		// server gets nothing of the registry's.
		res.Status, res.StatusCode, res.Header = "200 OK", http.StatusOK, http.Header{}
	}
	t.answers(own.URL.Scheme == "http").Store(&pingAnswer{own.URL.Scheme, res.StatusCode, res.Header, body})
	return res, nil
}

// own is req, or where it was redirected to another host, the last request of
// the same ping to the registry itself.
func (t *pingRecord) own(req *http.Request) *http.Request {
	for req.URL.Host != t.host && req.Response != nil {
		req = req.Response.Request
	}
	return req
}

// answers is where the answer over plain HTTP is kept, or else that over TLS.
func (t *pingRecord) answers(plain bool) *atomic.Pointer[pingAnswer] {
	if plain {
		return &t.plainAnswer
	}
	return &t.secureAnswer
}

func (t *pingRecord) failed(own *http.Request, err error) {
	if own.URL.Scheme == "http" {
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
	// One with credentials is no ping, but asks whether they are right.
	if t.ping == nil || req.Method != http.MethodGet || req.URL.Path != "/v2/" || req.Header.Get("Authorization") != "" {
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
