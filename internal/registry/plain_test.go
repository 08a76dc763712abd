// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// A registry that answers an upload with what the distribution spec does not
// know is sent the blob once more, and all further ones, as
// go-containerregistry would.
func TestUploadPlainly(t *testing.T) {
	const (
		ping  = "GET /v2/"
		post  = "POST /v2/team/app/blobs/uploads/"
		put   = "PUT session"
		patch = "PATCH session"
		head  = "HEAD blob"
	)
	odd := func(status int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // or the client may not hear the answer
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(status)
		}
	}
	hasBody := func(r *http.Request) bool { return r.ContentLength != 0 }
	for _, test := range []struct {
		name    string
		content func(byte) registry.Content
		odd     func(*http.Request) http.HandlerFunc // nil is handled
		want    []string                             // of the first upload
		again   []string                             // of the second
	}{
		{
			name:    "no PUT with the content",
			content: func(n byte) registry.Content { return registry.Bytes(sized(1<<20, n)) },
			odd: func(r *http.Request) http.HandlerFunc {
				if r.Method == http.MethodPut && hasBody(r) {
					return odd(http.StatusUnsupportedMediaType)
				}
				return nil
			},
			want:  []string{ping, post, put, head, post, patch, put},
			again: []string{head, post, patch, put},
		},
		{
			name:    "POST with the content is OK",
			content: func(n byte) registry.Content { return registry.Bytes(sized(100, n)) },
			odd: func(r *http.Request) http.HandlerFunc {
				if r.Method == http.MethodPost && hasBody(r) {
					return odd(http.StatusResetContent)
				}
				return nil
			},
			want:  []string{ping, post, head, post, patch, put},
			again: []string{head, post, patch, put},
		},
		{
			name:    "a stream is gone once",
			content: func(n byte) registry.Content { return streamed(sized(1<<20, n)) },
			odd: func() func(r *http.Request) http.HandlerFunc {
				first := true
				return func(r *http.Request) http.HandlerFunc {
					if r.Method == http.MethodPatch && first {
						first = false
						return odd(http.StatusGone)
					}
					return nil
				}
			}(),
			want:  []string{ping, post, patch, head, post, patch, put}, // its digest is known by now
			again: []string{post, patch, put},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			inner, err := regserver.New(regserver.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				path := r.URL.Path
				switch {
				case strings.HasPrefix(path, "/v2/team/app/blobs/uploads/") && !strings.HasSuffix(path, "/"):
					path = "session"
				case strings.HasPrefix(path, "/v2/team/app/blobs/sha256:"):
					path = "blob"
				}
				got = append(got, r.Method+" "+path)
				if answer := test.odd(r); answer != nil {
					answer(w, r)
					return
				}
				inner.ServeHTTP(w, r)
			}))
			defer srv.Close()
			repo := repository(t, client(t, registry.Options{}), srv.Listener.Addr().String()+"/team/app")
			for n, want := range [][]string{test.want, test.again} {
				got = nil
				c := test.content(byte(n))
				if err := repo.Upload(t.Context(), c); err != nil {
					t.Fatalf("upload %d: %v", n+1, err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("requests of upload %d (-want +got):\n%s", n+1, diff)
				}
				if found, err := repo.HasBlob(t.Context(), descriptor(t, c).Digest); !found || err != nil {
					t.Errorf("blob %d there: %v, %v", n+1, found, err)
				}
			}
		})
	}
}

// What go-containerregistry cannot send either fails for the first reason, and a
// content that cannot be read is not read again.
func TestUploadPlainlyFails(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.URL.Path != "/v2/" {
			w.WriteHeader(http.StatusGone)
		}
	}))
	defer srv.Close()
	repo := repository(t, client(t, registry.Options{}), srv.Listener.Addr().String()+"/team/app")
	err := repo.Upload(t.Context(), registry.Bytes(large))
	var e *registry.Error
	if !errors.As(err, &e) || e.Status != http.StatusGone || !strings.HasPrefix(err.Error(), "opening an upload to ") {
		t.Errorf("got %v, want the first answer", err)
	}
	// The repository is known by now.
	if err := repo.Upload(t.Context(), registry.Bytes(large)); !errors.As(err, &e) || e.Status != http.StatusGone {
		t.Errorf("the second upload: %v", err)
	}
}

// What ends the second way of an upload that is no answer of the registry's is
// said, not that the first way failed.
func TestUploadPlainlyBroken(t *testing.T) {
	var log bytes.Buffer
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		switch {
		case r.URL.Path == "/v2/":
		case r.Method == http.MethodPut:
			w.WriteHeader(http.StatusGone)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotFound)
		default:
			w.Header().Set("Location", "/session")
			w.WriteHeader(http.StatusAccepted)
		}
	}))
	defer srv.Close()
	for n, c := range []struct {
		open func(cancel func()) (io.ReadCloser, error) // the second time
		want error
	}{
		{func(func()) (io.ReadCloser, error) { return nil, fs.ErrNotExist }, fs.ErrNotExist},
		{func(func()) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("short")), nil }, registry.ErrIntegrity},
		{func(cancel func()) (io.ReadCloser, error) { cancel(); return nil, fs.ErrClosed }, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		content := registry.Bytes(large)
		first, opens := content.Open, 0
		content.Open = func(ctx context.Context) (io.ReadCloser, error) {
			if opens++; opens == 1 {
				return first(ctx)
			}
			return c.open(cancel)
		}
		cl := client(t, registry.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Retries: -1})
		err := repository(t, cl, srv.Listener.Addr().String()+"/team/app").Upload(ctx, content)
		if !errors.Is(err, c.want) || opens < 2 {
			t.Errorf("%d: got %v after %d opens, want %v", n, err, opens, c.want)
		}
	}
}

// Of uploads that run at once, one says that they are sent another way.
func TestUploadPlainlyNotedOnce(t *testing.T) {
	const uploads = 4
	var log bytes.Buffer
	var all sync.WaitGroup
	all.Add(uploads)
	net := wire(func(req *http.Request) (int, http.Header, string) {
		switch {
		case req.URL.Path == "/v2/":
			return 200, nil, ""
		case req.Method == http.MethodPost && req.URL.Query().Has("digest"):
			all.Done()
			all.Wait() // so that nobody knows yet what the others get to hear
			return 410, nil, ""
		case req.Method == http.MethodHead:
			return 200, nil, ""
		}
		return 500, nil, ""
	})
	repo := repository(t, client(t, registry.Options{Transport: net, Logger: slog.New(slog.NewTextHandler(&log, nil)), Retries: -1}), "registry.test/team/app")
	errs := make(chan error, uploads)
	for n := range uploads {
		go func() { errs <- repo.Upload(t.Context(), registry.Bytes(sized(10, byte(n)))) }()
	}
	for range uploads {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := strings.Count(log.String(), "as go-containerregistry does"); n != 1 {
		t.Errorf("noted %d times:\n%s", n, &log)
	}
}
