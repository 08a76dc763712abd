// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package registrytest runs a registry for a test: package regserver on
// loopback, with authentication, latency and faults in front of it and a
// record of every request behind the test's assertions.
package registrytest

import (
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/regserver"
)

// Options say how the registry behaves. The zero value is an open, modern
// registry in memory that answers at once over plain HTTP/1.1.
type Options struct {
	regserver.Options

	// Latency passes between a request's arrival and its handling.
	Latency time.Duration
	// UploadRate slows the reading of request bodies to that many bytes per
	// second and request. Zero does not.
	UploadRate int64
	// Auth decides who may do what; nil lets everybody do everything.
	Auth *Auth
	// Faults is asked once for every request, one at a time. n counts from 1,
	// and again from 1 after Reset. See First for the common case.
	Faults func(n int, r *http.Request) Fault

	// Immutable is the status, for example 400 or 409, of a PUT that would
	// move a tag to another digest. Zero lets tags move.
	Immutable int
	// ReadOnly is the status, for example 403 or 405, of every request that
	// would change something. Zero lets it.
	ReadOnly int
	// Full is the status, for example 500 or 507, of every request that brings
	// bytes of a blob. Zero has space.
	Full int

	// TLS serves https, with a certificate that CertPool and CA verify.
	TLS bool
	// HTTP2 offers HTTP/2 and implies TLS.
	HTTP2 bool
}

// A Server is a running registry. It is safe for concurrent use.
type Server struct {
	Host string // "127.0.0.1:PORT"
	URL  string // "http://" or "https://", and Host

	CertPool *x509.CertPool // nil without TLS
	CA       []byte         // the same as PEM

	opts     Options
	registry *regserver.Server
	http     *httptest.Server
	auth     *authority
	journal  journal
	tags     sync.Mutex // held by a PUT to a registry with immutable tags
	grace    time.Duration
	stopping chan struct{} // closed once grace is over
}

// defaultGrace is how long a request may outlive the test that sent it.
const defaultGrace = 5 * time.Second

// Start runs a registry until t ends. A request that is still being handled
// then, a few seconds after the server stopped to accept more, fails the test.
func Start(t testing.TB, opts Options) *Server {
	t.Helper()
	registry, err := regserver.New(opts.Options)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{opts: opts, registry: registry, grace: defaultGrace, stopping: make(chan struct{})}
	s.http = httptest.NewUnstartedServer(s)
	// Clients that try https first are not the test's business.
	s.http.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.http.EnableHTTP2 = opts.HTTP2
	// The address is known before the first request can ask for it.
	s.Host = s.http.Listener.Addr().String()
	s.URL = "http://" + s.Host
	if opts.TLS || opts.HTTP2 {
		s.URL = "https://" + s.Host
	}
	if opts.Auth != nil {
		s.auth = newAuthority(opts.Auth, s.URL)
	}
	if opts.TLS || opts.HTTP2 {
		s.http.StartTLS()
		s.CertPool = x509.NewCertPool()
		s.CertPool.AddCert(s.http.Certificate())
		s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.http.Certificate().Raw})
	} else {
		s.http.Start()
	}
	t.Cleanup(func() { s.stop(t) })
	return s
}

// Client is an HTTP client of the server's, which trusts its certificate.
func (s *Server) Client() *http.Client { return s.http.Client() }

func (s *Server) stop(t testing.TB) {
	closed := make(chan struct{})
	go func() {
		s.http.Close()
		close(closed)
	}()
	timer := time.NewTimer(s.grace)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
		t.Errorf("requests that hang at the end of the test:\n%s", strings.Join(s.journal.open(), "\n"))
		close(s.stopping)
		s.http.CloseClientConnections()
		<-closed
	}
	if err := s.registry.Close(); err != nil {
		t.Errorf("closing the registry: %v", err)
	}
}

// ServeHTTP handles a request in the order in which hosted registries do:
// first the network's accidents, then who asks, then what they ask for.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n, entry := s.journal.begin(r)
	x := &exchange{ResponseWriter: w, server: s, request: r, entry: entry}
	defer s.journal.end(entry)
	r.Body = &requestBody{ReadCloser: r.Body, exchange: x}
	if s.opts.Faults != nil {
		x.fault = s.journal.fault(s.opts.Faults, n, r)
	}
	switch {
	case !x.wait(s.opts.Latency + x.fault.Delay), x.fault.Before:
		x.cut()
	case x.fault.Status != 0:
		for key, values := range x.fault.Header {
			x.Header()[http.CanonicalHeaderKey(key)] = values
		}
		refuse(x, r, x.fault.Status, "UNKNOWN", "injected fault")
	default:
		s.handle(x, r)
	}
	if x.fault.After {
		x.cut()
	}
	x.finish()
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	if s.auth != nil && !s.auth.admit(w, r) {
		return
	}
	if s.forbid(w, r) {
		return
	}
	s.registry.ServeHTTP(w, r)
}
