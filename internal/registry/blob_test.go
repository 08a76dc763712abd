// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
)

// blobServer serves one blob in whatever way serve does, and notes the Range
// of every request for it.
func blobServer(t *testing.T, opts registry.Options, serve func(n int, w http.ResponseWriter, r *http.Request)) (*registry.Repository, func() []string) {
	t.Helper()
	var mu sync.Mutex
	var ranges []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v2/" {
			return
		}
		mu.Lock()
		ranges = append(ranges, r.Header.Get("Range"))
		n := len(ranges)
		mu.Unlock()
		serve(n, w, r)
	}))
	t.Cleanup(srv.Close)
	return repository(t, client(t, opts), srv.Listener.Addr().String()+"/team/app"), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return ranges
	}
}

// serveFrom answers with data from the start of the request's range on.
func serveFrom(t *testing.T, w http.ResponseWriter, r *http.Request, data []byte) []byte {
	from, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes=")
	if !ok {
		return data
	}
	at, err := strconv.Atoi(strings.TrimSuffix(from, "-"))
	if err != nil {
		t.Errorf("range %q: %v", from, err)
	}
	if at >= len(data) {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return nil
	}
	w.WriteHeader(http.StatusPartialContent)
	return data[at:]
}

func TestBlobIsVerified(t *testing.T) {
	good := sized(5000, 1)
	flipped := bytes.Clone(good)
	flipped[2500] ^= 1
	for _, test := range []struct {
		name string
		data []byte
		size int64
		want error
	}{
		{"good", good, 5000, nil},
		{"corrupt", flipped, 5000, registry.ErrIntegrity},
		{"short", good[:4999], 5000, registry.ErrIntegrity},
		{"none", nil, 5000, registry.ErrIntegrity},
		{"long", append(bytes.Clone(good), 0), 5000, registry.ErrIntegrity},
		{"much longer", bytes.Repeat(good, 100), 5000, registry.ErrIntegrity},
		{"good but of another size", good, 5001, registry.ErrIntegrity},
	} {
		for _, length := range []bool{true, false} {
			for _, ranges := range []bool{true, false} {
				t.Run(test.name+"/length "+strconv.FormatBool(length)+"/ranges "+strconv.FormatBool(ranges), func(t *testing.T) {
					repo, asked := blobServer(t, registry.Options{Retries: 2}, func(_ int, w http.ResponseWriter, r *http.Request) {
						data := test.data
						if length && r.Header.Get("Range") == "" {
							w.Header().Set("Content-Length", strconv.Itoa(len(data)))
						}
						if ranges {
							data = serveFrom(t, w, r, data)
						}
						w.Write(data) // a client that knows enough hangs up
					})
					desc := descriptor(t, registry.Bytes(good))
					desc.Size = test.size
					rc, err := repo.Blob(t.Context(), desc)
					if err != nil {
						t.Fatal(err)
					}
					got, err := io.ReadAll(rc)
					if cerr := rc.Close(); cerr != nil {
						t.Error(cerr)
					}
					if !errors.Is(err, test.want) {
						t.Errorf("got %v, want %v", err, test.want)
					}
					if err == nil && !bytes.Equal(got, good) {
						t.Error("other bytes")
					}
					if n := len(asked()); n > 3 {
						t.Errorf("%d requests with 2 retries: %q", n, asked())
					}
				})
			}
		}
	}
}

// A connection that breaks is taken up where it broke.
func TestBlobResumes(t *testing.T) {
	data := sized(300<<10, 1)
	for _, length := range []bool{true, false} {
		t.Run("length "+strconv.FormatBool(length), func(t *testing.T) {
			repo, asked := blobServer(t, registry.Options{Retries: 1}, func(n int, w http.ResponseWriter, r *http.Request) {
				if length && n == 1 {
					w.Header().Set("Content-Length", strconv.Itoa(len(data)))
				}
				rest := serveFrom(t, w, r, data)
				if n < 4 {
					cut(t, w, rest[:1000*n])
				}
				if _, err := w.Write(rest); err != nil {
					t.Error(err)
				}
			})
			desc := descriptor(t, registry.Bytes(data))
			got, err := read(t.Context(), repo, desc)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, data) {
				t.Error("other bytes")
			}
			if diff := cmp.Diff([]string{"", "bytes=1000-", "bytes=3000-", "bytes=6000-"}, asked()); diff != "" {
				t.Errorf("ranges (-want +got):\n%s", diff)
			}
		})
	}
}

// cut sends data and breaks the connection.
func cut(t *testing.T, w http.ResponseWriter, data []byte) {
	if _, err := w.Write(data); err != nil {
		t.Error(err)
	}
	if err := http.NewResponseController(w).Flush(); err != nil {
		t.Error(err)
	}
	panic(http.ErrAbortHandler)
}

// A registry that does not do ranges sends all of the blob again.
func TestBlobResumesWithoutRanges(t *testing.T) {
	data := sized(300<<10, 1)
	repo, asked := blobServer(t, registry.Options{}, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			cut(t, w, data[:70000])
		}
		if _, err := w.Write(data); err != nil {
			t.Error(err)
		}
	})
	desc := descriptor(t, registry.Bytes(data))
	got, err := read(t.Context(), repo, desc)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, data) {
		t.Error("other bytes")
	}
	if diff := cmp.Diff([]string{"", "bytes=70000-"}, asked()); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
}

// A registry that answers another range than the one it was asked for is found
// out.
func TestBlobResumedElsewhere(t *testing.T) {
	data := sized(300<<10, 1)
	repo, _ := blobServer(t, registry.Options{}, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			cut(t, w, data[:1000])
		}
		w.WriteHeader(http.StatusPartialContent)
		if _, err := w.Write(data[1001:]); err != nil {
			t.Error(err)
		}
	})
	desc := descriptor(t, registry.Bytes(data))
	if _, err := read(t.Context(), repo, desc); !errors.Is(err, registry.ErrIntegrity) {
		t.Errorf("got %v, want ErrIntegrity", err)
	}
}

// Connections that yield nothing are given up.
func TestBlobNeverArrives(t *testing.T) {
	data := sized(5000, 1)
	repo, asked := blobServer(t, registry.Options{Retries: 2}, func(n int, w http.ResponseWriter, r *http.Request) {
		rest := serveFrom(t, w, r, data)
		if n > 1 {
			rest = nil
		}
		cut(t, w, rest[:min(len(rest), 100)])
	})
	desc := descriptor(t, registry.Bytes(data))
	if _, err := read(t.Context(), repo, desc); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("got %v, want ErrUnavailable", err)
	}
	if diff := cmp.Diff([]string{"", "bytes=100-", "bytes=100-"}, asked()); diff != "" {
		t.Errorf("ranges (-want +got):\n%s", diff)
	}
}

// A blob may be closed before its end, and while it is read.
func TestBlobClosedEarly(t *testing.T) {
	data := sized(5000, 1)
	srv := registrytest.Start(t, registrytest.Options{})
	c := client(t, registry.Options{})
	repo := repository(t, c, srv.Host+"/team/app")
	if err := repo.Upload(t.Context(), registry.Bytes(data)); err != nil {
		t.Fatal(err)
	}
	rc, err := repo.Blob(t.Context(), descriptor(t, registry.Bytes(data)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(rc, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if err := rc.Close(); err != nil {
		t.Error(err)
	}

	hold := make(chan struct{})
	slow, _ := blobServer(t, registry.Options{}, func(_ int, w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.WriteHeader(http.StatusOK)
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		<-hold
	})
	if rc, err = slow.Blob(t.Context(), descriptor(t, registry.Bytes(data))); err != nil {
		t.Fatal(err)
	}
	read := make(chan error)
	go func() {
		_, err := rc.Read(make([]byte, 10))
		read <- err
	}()
	if err := rc.Close(); err != nil {
		t.Error(err)
	}
	if err := <-read; err == nil {
		t.Error("a closed blob was read")
	}
	close(hold)
}
