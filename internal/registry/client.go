// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package registry moves blobs and manifests to and from registries that speak
// the OCI distribution spec, in few round trips.
//
// A Client is made for one run. It pings a registry at most once however many
// repositories are used, keeps one token for each set of scopes, and remembers
// what a registry turned out not to support. Requests that fail for a passing
// reason are sent again, and uploads go on where they broke off: contents are
// therefore given as functions that open them anew. Manifests and blobs that are
// read are verified against their digest and size; what a tag stands for and
// lists of referrers are the registry's word.
package registry

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Options configure a Client; the zero value works.
type Options struct {
	// Keychain finds credentials; nil is anonymous.
	Keychain authn.Keychain
	// Transport carries the requests; nil is a transport like that of
	// go-containerregistry with enough idle connections for parallel uploads.
	Transport http.RoundTripper
	// Insecure allows plain HTTP beyond loopback hosts.
	Insecure bool
	// Retries is how often a request is sent again after a passing failure;
	// 0 is DefaultRetries, negative is never.
	Retries int
	// Timeout ends an attempt in which no byte moved for so long; 0 is
	// DefaultTimeout.
	Timeout time.Duration
	// MaxWait is the longest Retry-After that is waited for; what asks for
	// more fails at once. 0 is DefaultMaxWait.
	MaxWait time.Duration
	// UserAgent names the program to registries.
	UserAgent string
	// Logger hears of retries and fallbacks; nil discards.
	Logger *slog.Logger
}

// Defaults of Options.
const (
	DefaultRetries = 4
	DefaultTimeout = 60 * time.Second
	DefaultMaxWait = 2 * time.Minute
)

// A Client talks to any number of registries for one run.
type Client struct {
	opts     Options
	wire     http.RoundTripper // counts what reaches the network
	requests atomic.Int64

	credentials credentials

	mu    sync.Mutex
	hosts map[string]*host
}

// New returns a client that has contacted nothing yet.
func New(opts Options) *Client {
	if opts.Keychain == nil {
		opts.Keychain = authn.NewMultiKeychain()
	}
	if opts.Transport == nil {
		opts.Transport = NewTransport()
	}
	switch {
	case opts.Retries == 0:
		opts.Retries = DefaultRetries
	case opts.Retries < 0:
		opts.Retries = 0
	}
	if opts.Timeout <= 0 {
		opts.Timeout = DefaultTimeout
	}
	if opts.MaxWait <= 0 {
		opts.MaxWait = DefaultMaxWait
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Client{
		opts:        opts,
		credentials: credentials{keychain: opts.Keychain, searches: map[string]*search{}},
		hosts:       map[string]*host{},
	}
	c.wire = transport.NewUserAgent(countRequests{opts.Transport, &c.requests}, opts.UserAgent)
	return c
}

// NewTransport returns a transport that keeps enough connections for the
// parallel requests of a push; the standard library keeps two a host.
func NewTransport() *http.Transport {
	t := remote.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32
	t.MaxIdleConns = 128
	// An idle answer is ended by the client's own timeout, which hears of
	// bytes that still move.
	t.ResponseHeaderTimeout = 0
	t.OnProxyConnectResponse = proxyAnswer
	t.WriteBufferSize = 64 << 10
	t.ReadBufferSize = 64 << 10
	return t
}

// errProxyAuth is a proxy's answer to CONNECT, of which net/http keeps the words
// only. To any other request a proxy answers like a registry.
var errProxyAuth = errors.New("the proxy wants a name and a password, or others")

func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, res *http.Response) error {
	if res.StatusCode == http.StatusProxyAuthRequired {
		return errProxyAuth
	}
	return nil
}

// Requests is how many HTTP requests were sent so far, pings, token requests
// and repeated attempts included.
func (c *Client) Requests() int64 { return c.requests.Load() }

// Repository returns the repository repo as this client sees it.
func (c *Client) Repository(repo name.Repository) *Repository {
	return &Repository{host: c.host(repo.Registry), name: repo}
}

func (c *Client) host(reg name.Registry) *host {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := reg.RegistryStr()
	h, ok := c.hosts[key]
	if !ok {
		h = newHost(c, reg)
		c.hosts[key] = h
	}
	return h
}

// A Repository is one repository of a registry.
type Repository struct {
	host *host
	name name.Repository

	mu       sync.Mutex
	reserved []*reservation
}

// Name is the repository's name.
func (r *Repository) Name() name.Repository { return r.name }

// countRequests counts the requests that reach the network, lets nothing go
// there that is left of a body, and notes for the exchange what is sent and asked.
type countRequests struct {
	inner http.RoundTripper
	n     *atomic.Int64
}

func (t countRequests) RoundTrip(req *http.Request) (*http.Response, error) {
	req, err := unspent(req)
	if err != nil {
		return nil, err
	}
	noted := exchangeOf(req.Context())
	noted.sends(req)
	res, err := t.inner.RoundTrip(req)
	if !speaksNoTLS(err) { // where https is tried first; nothing was sent
		t.n.Add(1)
		if n, ok := req.Context().Value(countKey{}).(*atomic.Int64); ok {
			n.Add(1)
		}
	}
	if err != nil {
		return nil, err
	}
	noted.answered(res)
	res.Request = req
	if err := checkAnswer(res); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

// unspent is req with its whole body, although a transport may have sent that
// before.
func unspent(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return req, nil
	}
	if req.GetBody == nil {
		if b, ok := req.Body.(*sentBody); ok && b.sent.Swap(true) {
			return nil, errBodySpent
		}
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	req.Body.Close() // is in memory
	req = req.WithContext(req.Context())
	req.Body = body
	return req, nil
}
