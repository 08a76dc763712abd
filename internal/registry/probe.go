// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
)

// probe sends the first manifest request to a registry beside its ping, which
// saves a round trip where both are answered without credentials. It does so
// where there are none to give: who has an account may see other images. It
// returns nil where the request has to be sent the usual way, after the ping.
func (h *host) probe(ctx context.Context, req request, watch *watch) (*http.Response, error) {
	if !req.early || h.pinged.Load() != nil || h.probed.Swap(true) {
		return nil, nil
	}
	scheme := h.likelyScheme()
	watch.stop()
	auth, err := h.client.credentials.of(ctx, req.scopes.repo)
	watch.feed()
	if scheme == "" || err != nil || auth != authn.Anonymous {
		return nil, nil
	}
	req.url.Scheme = scheme
	hr, err := req.make(ctx, newSentBody(nil, 0, watch))
	if err != nil {
		return nil, err
	}
	pinged := make(chan error, 1)
	go func() { pinged <- h.ping(ctx) }()
	res, err := h.client.wire.RoundTrip(hr)
	pingErr := <-pinged
	if err == nil && (pingErr != nil || !h.answers(res, scheme)) {
		finish(res)
		res = nil
	}
	if pingErr != nil {
		return nil, pingErr
	}
	return res, nil
}

// likelyScheme is the scheme that the ping will most likely settle on; empty is
// either.
func (h *host) likelyScheme() string {
	if h.registry.Scheme() == "https" {
		return "https"
	}
	if addr, ok := literal((&url.URL{Host: h.registry.RegistryStr()}).Hostname()); ok && addr.IsLoopback() {
		return "http"
	}
	return ""
}

// answers reports whether res, to a request without credentials, is what the
// registry would have answered after its ping.
func (h *host) answers(res *http.Response, scheme string) bool {
	ping := h.pinged.Load()
	switch {
	case ping.scheme != scheme:
		return false
	case res.StatusCode == http.StatusOK: // but for a page to log in on
		return !strings.HasPrefix(res.Header.Get("Content-Type"), "text/html")
	}
	// Of a registry that is open to everybody a refusal is the last word;
	// others may think better of a token, be it nobody's.
	return ping.status == http.StatusOK && res.StatusCode >= 400 && res.StatusCode != http.StatusUnauthorized
}
