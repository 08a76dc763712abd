// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// stalls is srv, except for the requests that where has a word for: "request"
// is never answered, "answer" is begun and not ended, and "wait" is told to
// come back in a minute.
func stalls(t *testing.T, srv *registrytest.Server, where func(*http.Request) string) http.Handler {
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch where(r) {
		case "":
			srv.ServeHTTP(w, r)
			return
		case "wait":
			w.Header().Set("Retry-After", "60")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case "answer":
			w.Header().Set("Content-Length", "5000")
			w.WriteHeader(http.StatusOK)
			if _, err := w.Write([]byte("{")); err != nil {
				t.Error(err)
			}
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Error(err)
			}
		}
		select {
		case <-r.Context().Done():
		case <-stop: // a body that was not read hides the client's end
		}
	})
}

// matches reports whether r is the request that op disturbs.
func (op operation) matches(r *http.Request) bool {
	ok, err := path.Match(op.path, r.URL.Path)
	return r.Method == op.method && ok && err == nil
}

// A registry that stops to answer, before an answer or amid one, is given up
// after the timeout, and with the last retry for good.
func TestStall(t *testing.T) {
	const timeout = 50 * time.Millisecond
	for _, op := range operations(t) {
		for _, in := range []string{"request", "answer"} {
			if in == "answer" && !op.receives {
				continue
			}
			t.Run(op.name+"/"+in, func(t *testing.T) {
				bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
					var n atomic.Int64
					tr := pipe(t, stalls(t, srv, func(r *http.Request) string {
						if !op.matches(r) {
							return ""
						}
						n.Add(1)
						return in
					}))
					repo := repository(t, registry.New(registry.Options{Transport: tr, Retries: 2, Timeout: timeout}), inMemory+"team/app")
					start := time.Now()
					err := op.do(t.Context(), repo)
					if !errors.Is(err, registry.ErrUnavailable) || errors.Is(err, context.Canceled) {
						t.Errorf("got %v, want ErrUnavailable", err)
					}
					if err != nil && !strings.Contains(err.Error(), "no byte moved for 50ms") {
						t.Errorf("got %q, which does not say why", err)
					}
					want := int64(3)
					if op.name == "end a stream" {
						want = 4 // the second finds that all bytes had arrived
					}
					if n.Load() != want {
						t.Errorf("%d attempts, want %d", n.Load(), want)
					}
					limit := time.Duration(want) * timeout
					if took := time.Since(start); took < limit || took > limit+time.Duration(want)*200*time.Millisecond {
						t.Errorf("took %v, want %d timeouts and the waits between", took, want)
					}
				})
			})
		}
	}
}

// drip is a body that yields a byte at a time, and waits before each.
type drip struct {
	r     *bytes.Reader
	every time.Duration
}

func (d drip) Read(p []byte) (int, error) {
	if d.r.Len() > 0 {
		time.Sleep(d.every) // of the bubble's time
	}
	return d.r.Read(p[:min(len(p), 1)])
}

func (d drip) Close() error { return nil }

func dripping(data []byte, every time.Duration) registry.Content {
	c := registry.Bytes(data)
	c.Open = func(context.Context) (io.ReadCloser, error) { return drip{bytes.NewReader(data), every}, nil }
	return c
}

// What moves slowly has not stalled, and a content that takes its time is not
// the registry's fault.
func TestSlowIsNoStall(t *testing.T) {
	const timeout = 50 * time.Millisecond
	for name, every := range map[string]time.Duration{"content within the timeout": timeout * 4 / 5, "content beyond the timeout": timeout * 3} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, registry.Options{Retries: -1, Timeout: timeout}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
				for _, data := range [][]byte{small, large[:100]} {
					if err := repo.Upload(t.Context(), dripping(data, every)); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
	t.Run("answer", func(t *testing.T) {
		bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
			tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.Contains(r.URL.Path, "/blobs/") {
					srv.ServeHTTP(w, r)
					return
				}
				w.Header().Set("Content-Length", strconv.Itoa(len(small)))
				for _, b := range small {
					time.Sleep(timeout * 4 / 5)
					w.Write([]byte{b})
					if err := http.NewResponseController(w).Flush(); err != nil {
						t.Error(err)
					}
				}
			}))
			repo := repository(t, registry.New(registry.Options{Transport: tr, Retries: -1, Timeout: timeout}), inMemory+"team/app")
			holds(t, repo, small)
		})
	})
}

// A registry may take longer to store what is larger, when all was sent, but not
// for ever.
func TestStoringIsNoStall(t *testing.T) {
	const timeout = 50 * time.Millisecond
	data := sized(8<<20, 4) // for half a second
	for _, test := range []struct {
		name  string
		takes time.Duration
		fails bool
	}{
		{"at once", 0, false},
		{"in the time for its size", 500 * time.Millisecond, false},
		{"longer", 600 * time.Millisecond, true},
	} {
		for name, content := range map[string]registry.Content{"known": registry.Bytes(data), "stream": streamed(data)} {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
					tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if r.ContentLength != 0 && (r.Method == http.MethodPut || r.Method == http.MethodPatch) {
							body, err := io.ReadAll(r.Body)
							if err != nil {
								t.Error(err)
							}
							r.Body = io.NopCloser(bytes.NewReader(body))
							time.Sleep(test.takes) // of the bubble's time
						}
						srv.ServeHTTP(w, r)
					}))
					repo := repository(t, registry.New(registry.Options{Transport: tr, Retries: -1, Timeout: timeout}), inMemory+"team/app")
					if err := repo.Upload(t.Context(), content); errors.Is(err, registry.ErrUnavailable) != test.fails {
						t.Errorf("got %v, want a failure: %t", err, test.fails)
					}
				})
			})
		}
	}
}

// A reader of a blob may take its time.
func TestSlowReaderIsNoStall(t *testing.T) {
	const timeout = 50 * time.Millisecond
	bubble(t, nil, registry.Options{Retries: -1, Timeout: timeout}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
		rc, err := repo.Blob(t.Context(), descriptor(t, registry.Bytes(there)))
		if err != nil {
			t.Fatal(err)
		}
		defer rc.Close()
		var got bytes.Buffer
		for err == nil {
			time.Sleep(3 * timeout)
			_, err = io.CopyN(&got, rc, 700)
		}
		if err != io.EOF || !bytes.Equal(got.Bytes(), there) {
			t.Errorf("%d bytes and %v, want %d", got.Len(), err, len(there))
		}
	})
}

// The end of the context ends whatever is under way, at once.
func TestCancel(t *testing.T) {
	reason := errors.New("enough")
	for _, op := range operations(t) {
		for _, in := range []string{"request", "wait", "answer"} {
			if in == "answer" && !op.receives {
				continue
			}
			t.Run(op.name+"/"+in, func(t *testing.T) {
				bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
					var reached atomic.Int64
					tr := pipe(t, stalls(t, srv, func(r *http.Request) string {
						if !op.matches(r) {
							return ""
						}
						reached.Add(1)
						return in
					}))
					repo := repository(t, registry.New(registry.Options{Transport: tr}), inMemory+"team/app")
					ctx, cancel := context.WithCancelCause(t.Context())
					start := time.Now()
					done := make(chan error, 1)
					go func() { done <- op.do(ctx, repo) }()
					synctest.Wait()
					if reached.Load() != 1 || len(done) != 0 {
						t.Fatalf("%d requests, returned: %v", reached.Load(), len(done) == 1)
					}
					cancel(reason)
					if err := <-done; !errors.Is(err, reason) {
						t.Errorf("got %v, want the reason for the end of the context", err)
					}
					if took := time.Since(start); took != 0 {
						t.Errorf("took %v", took)
					}
				})
			})
		}
	}
}

// An upload whose content is waited for ends with the context too.
func TestCancelWhileContentIsRead(t *testing.T) {
	for name, known := range map[string]bool{"known": true, "unknown": false} {
		t.Run(name, func(t *testing.T) {
			bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, repo *registry.Repository) {
				pr, pw := io.Pipe()
				desc := descriptor(t, registry.Bytes(large))
				content := registry.Content{
					Open:       func(context.Context) (io.ReadCloser, error) { return pr, nil },
					Descriptor: func() (v1.Descriptor, bool) { return desc, known },
				}
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- repo.Upload(ctx, content) }()
				if _, err := pw.Write(large[:1000]); err != nil {
					t.Fatal(err)
				}
				synctest.Wait()
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("got %v, want context.Canceled", err)
				}
				synctest.Wait()
				if _, err := pw.Write(large[1000:2000]); !errors.Is(err, io.ErrClosedPipe) {
					t.Errorf("the content was not closed: %v", err)
				}
			})
		})
	}
}
