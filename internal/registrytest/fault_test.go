// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Over HTTP/1 and HTTP/2, a client sees a cut as an error and never as an
// answer, and the registry has done what the fault says.
func TestCut(t *testing.T) {
	long := strings.Repeat(data, 10_000)
	tests := []struct {
		name         string
		fault        registrytest.Fault
		method       string
		body         string
		stored       bool  // the blob is there afterwards
		read, sent   int64 // bytes of the bodies
		wantResponse bool  // the headers arrive, the body does not
	}{
		{"before", registrytest.Fault{Before: true}, "POST", data, false, 0, 0, false},
		{"after", registrytest.Fault{After: true}, "POST", data, true, 10, 0, false},
		{"within a small request", registrytest.Fault{CutRequest: 4}, "POST", data, false, 4, 0, false},
		{"within a request", registrytest.Fault{CutRequest: 70_000}, "POST", long, false, 70_000, 0, false},
		{"within a response", registrytest.Fault{CutResponse: 70_000}, "GET", long, true, 0, 70_000, true},
	}
	for _, tt := range tests {
		for _, http2 := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{false: "/HTTP1", true: "/HTTP2"}[http2], func(t *testing.T) {
				var on atomic.Bool
				s := registrytest.Start(t, registrytest.Options{HTTP2: http2, Faults: func(int, *http.Request) registrytest.Fault {
					if on.Load() {
						return tt.fault
					}
					return registrytest.Fault{}
				}})
				upload, blob := "/v2/r/blobs/uploads/?digest="+sha(tt.body), "/v2/r/blobs/"+sha(tt.body)
				path, body := upload, tt.body
				if tt.method == "GET" {
					want(t, 201, s, "POST", upload, tt.body)
					path, body = blob, ""
				}
				s.Reset()
				on.Store(true)
				a, err := ask(t, s, tt.method, path, body)
				if err == nil {
					t.Fatalf("the client saw %d %s, want an error", a.status, a.body)
				}
				if got := a.status == 200 && int64(len(a.body)) == tt.sent; got != tt.wantResponse {
					t.Errorf("the client saw status %d and %d bytes: %v", a.status, len(a.body), err)
				}
				on.Store(false)
				r := s.Requests()[0]
				if r.RequestBytes != tt.read || r.ResponseBytes != tt.sent || !tt.wantResponse && r.Status != 0 {
					t.Errorf("recorded %d, %d bytes read, %d sent", r.Status, r.RequestBytes, r.ResponseBytes)
				}
				want(t, map[bool]int{true: 200, false: 404}[tt.stored], s, "HEAD", blob, "")
			})
		}
	}
}

// A client may go on where a cut ended its upload.
func TestCutUploadResumes(t *testing.T) {
	s := registrytest.Start(t, registrytest.Options{
		Faults: registrytest.First(1, "PATCH", "/v2/r/blobs/uploads/*", registrytest.Fault{CutRequest: 4}),
	})
	session := want(t, 202, s, "POST", "/v2/r/blobs/uploads/", "").header.Get("Location")
	if a, err := ask(t, s, "PATCH", session, data); err == nil {
		t.Fatalf("the client saw %d, want an error", a.status)
	}
	if got := want(t, 204, s, "GET", session, "").header.Get("Range"); got != "0-3" {
		t.Fatalf("progress %q, want 0-3", got)
	}
	want(t, 202, s, "PATCH", session, data[4:], "Content-Range: 4-9")
	want(t, 201, s, "PUT", session+"&digest="+sha(data), "")
	if got, want := s.UploadedBlobBytes(), int64(10); got != want {
		t.Errorf("%d bytes were uploaded, want %d", got, want)
	}
}

func TestStatusFault(t *testing.T) {
	s := registrytest.Start(t, registrytest.Options{
		Faults: registrytest.First(2, "", "/v2/", registrytest.Fault{Status: 503, Header: http.Header{"Retry-After": {"7"}}}),
	})
	for range 2 {
		if got := want(t, 503, s, "GET", "/v2/", "").header.Get("Retry-After"); got != "7" {
			t.Errorf("Retry-After %q, want 7", got)
		}
	}
	want(t, 200, s, "GET", "/v2/", "")
}

// n counts from 1, and again after Reset.
func TestFaultOfTheNthRequest(t *testing.T) {
	s := registrytest.Start(t, registrytest.Options{Faults: func(n int, _ *http.Request) registrytest.Fault {
		if n == 2 {
			return registrytest.Fault{Status: 429}
		}
		return registrytest.Fault{}
	}})
	for range 2 {
		want(t, 200, s, "GET", "/v2/", "")
		want(t, 429, s, "GET", "/v2/", "")
		want(t, 200, s, "GET", "/v2/", "")
		s.Reset()
	}
}

// One bit is another, and a client that verifies what it reads finds out.
func TestCorrupt(t *testing.T) {
	s := registrytest.Start(t, registrytest.Options{
		Faults: registrytest.First(1, "GET", "/v2/r/blobs/*", registrytest.Fault{Corrupt: true}),
	})
	want(t, 201, s, "POST", post("r"), data)
	if got, want := want(t, 200, s, "GET", "/v2/r/blobs/"+sha(data), "").body, "0123446789"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := want(t, 200, s, "GET", "/v2/r/blobs/"+sha(data), "").body; got != data {
		t.Errorf("got %q the second time", got)
	}

	s = registrytest.Start(t, registrytest.Options{
		Faults: registrytest.First(1, "GET", "/v2/r/blobs/*", registrytest.Fault{Corrupt: true}),
	})
	s.Push(t, "r:v1", registrytest.BaseImage(t, registrytest.ImageOptions{LayerSize: 1 << 20}))
	img, err := remote.Image(s.Ref(t, "r:v1"))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := img.Layers()
	if err != nil {
		t.Fatal(err)
	}
	content, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, content); err == nil || !strings.Contains(err.Error(), "verifying") {
		t.Errorf("reading a corrupt layer: %v", err)
	}
	if err := content.Close(); err != nil {
		t.Error(err)
	}
}
