// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// pipe returns a transport whose connections end in h and stay in memory, so
// that inside a bubble of testing/synctest waiting takes no time and can be
// measured. It poses as TLS: a registry that is not on loopback is then
// pinged once.
func pipe(t *testing.T, h http.Handler) *http.Transport {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	srv := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	tr := registry.NewTransport()
	tr.Proxy = nil
	tr.DialTLSContext = l.dial
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		if err := srv.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
		time.Sleep(time.Second) // a server lingers at a connection whose request it did not read
	})
	return tr
}

type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := net.Pipe()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.closed:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// inMemory is where the tests that use pipe find their registry.
const inMemory = "registry.test/"

func repository(t *testing.T, c *registry.Client, repo string) *registry.Repository {
	t.Helper()
	return c.Repository(repoName(t, repo))
}

func repoName(t *testing.T, repo string) name.Repository {
	t.Helper()
	n, err := name.NewRepository(repo)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// open starts a registry and returns its repository repo as a new client sees
// it.
func open(t *testing.T, opts registrytest.Options, repo string) (*registrytest.Server, *registry.Repository) {
	t.Helper()
	srv := registrytest.Start(t, opts)
	return srv, repository(t, client(t, registry.Options{}), srv.Host+"/"+repo)
}

// client is a client with connections of its own, closed when t ends.
func client(t *testing.T, opts registry.Options) *registry.Client {
	t.Helper()
	if opts.Transport == nil {
		tr := registry.NewTransport()
		t.Cleanup(tr.CloseIdleConnections)
		opts.Transport = tr
	}
	return registry.New(opts)
}

// streamed is a content whose digest is unknown until it was read.
func streamed(data []byte) registry.Content {
	var ended atomic.Bool
	whole := registry.Bytes(data)
	return registry.Content{
		Open: func(context.Context) (io.ReadCloser, error) {
			return &endReader{r: bytes.NewReader(data), ended: &ended}, nil
		},
		Descriptor: func() (v1.Descriptor, bool) {
			if !ended.Load() {
				return v1.Descriptor{}, false
			}
			return whole.Descriptor()
		},
	}
}

type endReader struct {
	r     io.Reader
	ended *atomic.Bool
}

func (r *endReader) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	if err == io.EOF {
		r.ended.Store(true)
	}
	return n, err
}

func (r *endReader) Close() error { return nil }

// opened counts how often c is opened.
func opened(c registry.Content) (registry.Content, *atomic.Int64) {
	n := new(atomic.Int64)
	open := c.Open
	c.Open = func(ctx context.Context) (io.ReadCloser, error) {
		n.Add(1)
		return open(ctx)
	}
	return c, n
}

// sized is size bytes that differ from those of other seeds.
func sized(size int, seed byte) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8) ^ seed
	}
	return b
}

func descriptor(t *testing.T, c registry.Content) v1.Descriptor {
	t.Helper()
	desc, known := c.Descriptor()
	if !known {
		t.Fatal("the content is unknown")
	}
	return desc
}

// read is the blob that desc describes.
func read(ctx context.Context, repo *registry.Repository, desc v1.Descriptor) ([]byte, error) {
	rc, err := repo.Blob(ctx, desc)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(rc)
	return got, errors.Join(err, rc.Close())
}

// holds checks that the repository serves data.
func holds(t *testing.T, repo *registry.Repository, data []byte) {
	t.Helper()
	desc := descriptor(t, registry.Bytes(data))
	got, err := read(t.Context(), repo, desc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Errorf("%s holds other bytes under %s", repo.Name(), desc.Digest)
	}
}
