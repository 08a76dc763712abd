// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// probe sends the first manifest request to a registry ahead of the ping, or
// beside that of another request, and without credentials. A registry that is
// open answers with what was asked for, one round trip sooner; any other says
// how it authenticates, which is what a ping is for. It returns nil where the
// request has to be sent the usual way.
func (h *host) probe(ctx context.Context, req request, watch *watch) (*http.Response, error) {
	if !req.early || h.pinged.Load() != nil || h.probed.Swap(true) {
		return nil, nil
	}
	hr, err := req.make(ctx, &sentBody{})
	if err != nil {
		return nil, err
	}
	p := &probing{inner: h.client.wire, req: hr, watch: watch}
	rec := h.recordPing(p)
	if _, err := transport.Ping(ctx, h.registry, rec); err != nil {
		if p.plain.Load() {
			return nil, nil
		}
		return nil, rec.reason(err)
	}
	res := p.answer.Load()
	answer := &pingAnswer{scheme: res.Request.URL.Scheme, status: res.StatusCode, header: res.Header}
	switch {
	case res.StatusCode == http.StatusUnauthorized && res.Header.Get("WWW-Authenticate") != "":
		return nil, h.settle(ctx, answer)
	case res.StatusCode == http.StatusOK && !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html"): // as pages to log in on are
		return res, h.openWay(ctx, req.scopes, answer.scheme)
	case res.StatusCode == http.StatusForbidden, res.StatusCode == http.StatusNotFound:
		if known, err := h.known(ctx, req.scopes, watch); known || err != nil {
			return nil, err // who is not known is told that, too
		}
	case res.StatusCode < 400, res.StatusCode == http.StatusUnauthorized:
		return nil, nil
	}
	return res, nil
}

// known reports whether requests for the access have credentials, or a token.
func (h *host) known(ctx context.Context, to access, watch *watch) (bool, error) {
	if err := h.ping(ctx); err != nil {
		return false, err
	}
	if h.pinged.Load().status != http.StatusOK {
		return true, nil
	}
	watch.stop()
	auth, err := h.client.credentials.of(ctx, to.repo)
	watch.feed()
	return auth != authn.Anonymous, err
}

// settle takes answer for that of a ping, unless there is one.
func (h *host) settle(ctx context.Context, answer *pingAnswer) error {
	if err := take(ctx, h.pinging); err != nil {
		return err
	}
	defer func() { <-h.pinging }()
	h.pinged.CompareAndSwap(nil, answer)
	return nil
}

// openWay lets requests for the access go without a token from now on.
func (h *host) openWay(ctx context.Context, to access, scheme string) error {
	open := &pingAnswer{scheme: scheme, status: http.StatusOK}
	rt, err := transport.NewWithContext(ctx, h.registry, authn.Anonymous, pingedTransport{h.client.wire, open}, to.scopes)
	if err != nil {
		return err
	}
	w := h.way(to)
	if err := take(ctx, w.making); err != nil {
		return err
	}
	defer func() { <-w.making }()
	if w.rt == nil {
		w.rt, w.open = rt, true
	}
	return nil
}

// closed reports whether requests for the access went without a token, which
// they do not do any more: what is open to read may have parts that are not.
func (h *host) closed(ctx context.Context, to access) bool {
	w := h.way(to)
	if take(ctx, w.making) != nil {
		return false
	}
	defer func() { <-w.making }()
	was := w.open
	if was {
		w.rt, w.open = nil, false
	}
	return was
}

// probing sends req in the stead of a ping, over the scheme that the ping
// tries, and answers the ping that somebody is there.
type probing struct {
	inner  http.RoundTripper
	req    *http.Request
	watch  *watch
	answer atomic.Pointer[http.Response] // with its body in memory
	plain  atomic.Bool                   // 400 was answered, as servers that speak TLS do to plain HTTP
}

func (p *probing) RoundTrip(ping *http.Request) (*http.Response, error) {
	req := p.req.Clone(ping.Context())
	req.URL.Scheme = ping.URL.Scheme
	res, err := p.inner.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	// The ping's context ends before the caller reads.
	body, err := io.ReadAll(io.LimitReader(fedReader{res.Body, p.watch}, MaxManifest+1))
	res.Body.Close()
	if err != nil {
		return nil, err
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	if res.StatusCode == http.StatusBadRequest {
		p.plain.Store(true)
		return res, nil
	}
	p.answer.Store(res)
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: ping,
	}, nil
}

// fedReader feeds the watch with what it reads.
type fedReader struct {
	io.Reader
	watch *watch
}

func (r fedReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.watch.feed()
	return n, err
}
