// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// idleReader yields data and then nothing until it is closed, which ends its
// Read a little later. Its fields have no lock.
type idleReader struct {
	data   *bytes.Reader
	closed chan struct{}
	once   sync.Once
	reads  int // under way
}

func (r *idleReader) Read(p []byte) (int, error) {
	r.reads++
	defer func() { r.reads-- }()
	if r.data.Len() > 0 {
		return r.data.Read(p)
	}
	<-r.closed
	time.Sleep(time.Second) // of the bubble's time
	return 0, io.ErrClosedPipe
}

func (r *idleReader) Close() error {
	r.once.Do(func() { close(r.closed) })
	return nil
}

// answersEarly is srv, except for requests with a body of more than a few bytes,
// which have their answer before their body was read.
func answersEarly(t *testing.T, srv http.Handler, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut && r.Method != http.MethodPatch || r.ContentLength == 0 {
			srv.ServeHTTP(w, r)
			return
		}
		control := http.NewResponseController(w)
		if err := control.EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		if _, err := io.ReadFull(r.Body, make([]byte, 1000)); err != nil {
			t.Error(err)
		}
		w.Header().Set("Location", r.URL.Path)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(status)
		if err := control.Flush(); err != nil {
			t.Error(err)
		}
		_, _ = io.Copy(io.Discard, r.Body) // as long as the client sends
	})
}

// An answer may come while the content is still being read. Then that ends
// first: what the content's reader uses belongs to the caller again.
func TestEarlyAnswer(t *testing.T) {
	for _, test := range []struct {
		name   string
		status int
		known  bool
		want   error
	}{
		{"stored", http.StatusCreated, true, nil},
		{"refused", http.StatusRequestEntityTooLarge, true, errAny},
		{"unauthorized", http.StatusUnauthorized, true, registry.ErrDenied},
		{"broken", http.StatusInternalServerError, true, registry.ErrUnavailable},
		{"accepted", http.StatusAccepted, false, registry.ErrUnavailable},
		{"stream refused", http.StatusRequestEntityTooLarge, false, errAny},
	} {
		t.Run(test.name, func(t *testing.T) {
			bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
				tr := pipe(t, answersEarly(t, srv, test.status))
				repo := repository(t, registry.New(registry.Options{Transport: tr, Retries: -1}), inMemory+"team/app")
				desc := descriptor(t, registry.Bytes(large))
				r := &idleReader{data: bytes.NewReader(large[:len(large)/2]), closed: make(chan struct{})}
				err := repo.Upload(t.Context(), registry.Content{
					Open:       func(context.Context) (io.ReadCloser, error) { return r, nil },
					Descriptor: func() (v1.Descriptor, bool) { return desc, test.known },
				})
				if test.want == errAny && err == nil || test.want != errAny && !errors.Is(err, test.want) {
					t.Errorf("got %v, want %v", err, test.want)
				}
				if r.reads != 0 {
					t.Error("the content is read after the upload")
				}
				r.data.Reset(large) // races with a Read that comes later
				synctest.Wait()
				if r.data.Len() != len(large) {
					t.Error("the content was read after the upload")
				}
			})
		})
	}
}

var errAny = errors.New("any")

// A stream whose answer comes before its end goes on where the registry says
// that it is, and is whole.
func TestEarlyAnswerToStream(t *testing.T) {
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
		early := answersEarly(t, srv, http.StatusAccepted)
		first := true
		tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPatch && first {
				first = false
				early.ServeHTTP(w, r)
				return
			}
			srv.ServeHTTP(w, r)
		}))
		repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
		content := streamed(large)
		inner := content.Open
		content.Open = func(ctx context.Context) (io.ReadCloser, error) {
			rc, err := inner(ctx)
			if first { // stops midway, or all might be under way before the answer is
				rc = &idleReader{data: bytes.NewReader(large[:len(large)/2]), closed: make(chan struct{})}
			}
			return rc, err
		}
		if err := repo.Upload(t.Context(), content); err != nil {
			t.Fatalf("%v; %s", err, strings.Join(requests(srv), ", "))
		}
		holds(t, repo, large)
	})
}

// A connection whose answer comes with the last byte, before anything asked
// whether more follows, is used again.
func TestConnectionOutlivesUpload(t *testing.T) {
	bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
		tr := pipe(t, srv)
		dial, dials := tr.DialTLSContext, 0
		tr.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return dial(ctx, network, addr)
		}
		repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
		for n := range byte(20) {
			if err := repo.Upload(t.Context(), registry.Bytes(sized(200<<10, 10+n))); err != nil {
				t.Fatal(err)
			}
		}
		if dials != 1 {
			t.Errorf("%d connections, want 1", dials)
		}
	})
}
