// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
	"github.com/google/go-cmp/cmp"
)

// requests is what the server was asked: methods and paths, with the random
// name of an upload left out.
func requests(srv *registrytest.Server) []string {
	var all []string
	for _, r := range srv.Requests() {
		path := r.Path
		if before, after, ok := strings.Cut(path, "/uploads/"); ok && after != "" {
			path = before + "/uploads/ID"
		}
		all = append(all, r.Method+" "+path)
	}
	return all
}

func TestUpload(t *testing.T) {
	const ping, post = "GET /v2/", "POST /v2/team/app/blobs/uploads/"
	const patch, put = "PATCH /v2/team/app/blobs/uploads/ID", "PUT /v2/team/app/blobs/uploads/ID"
	small, large := sized(64<<10, 1), sized(64<<10+1, 2)
	for _, test := range []struct {
		name    string
		opts    regserver.Options
		data    []byte
		stream  bool
		want    []string
		uploads int64 // times that the blob travels
	}{
		{name: "small", data: small, want: []string{ping, post}, uploads: 1},
		{name: "empty", data: []byte{}, want: []string{ping, post}, uploads: 1},
		{name: "small, answered 202", opts: regserver.Options{NoMonolithicPost: true}, data: small, want: []string{ping, post, put}, uploads: 2},
		{name: "empty, answered 202", opts: regserver.Options{NoMonolithicPost: true}, data: []byte{}, want: []string{ping, post, put}, uploads: 2},
		{name: "large", data: large, want: []string{ping, post, put}, uploads: 1},
		{name: "unknown", data: small, stream: true, want: []string{ping, post, patch, put}, uploads: 1},
		{name: "unknown and empty", data: []byte{}, stream: true, want: []string{ping, post, patch, put}, uploads: 1},
		{name: "unknown and large", data: sized(1<<20, 3), stream: true, want: []string{ping, post, patch, put}, uploads: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv, repo := open(t, registrytest.Options{Options: test.opts}, "team/app")
			content := registry.Bytes(test.data)
			if test.stream {
				content = streamed(test.data)
			}
			if err := repo.Upload(t.Context(), content); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, requests(srv)); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			if got, want := srv.RoundTrips(), len(test.want); got != want {
				t.Errorf("%d round trips, want %d", got, want)
			}
			if got, want := srv.UploadedBlobBytes(), test.uploads*int64(len(test.data)); got != want {
				t.Errorf("%d bytes uploaded, want %d", got, want)
			}
			holds(t, repo, test.data)
		})
	}
}

// A registry that answers 202 to a blob in a single POST is not tried again.
func TestUploadRemembersNoMonolithicPost(t *testing.T) {
	srv, repo := open(t, registrytest.Options{Options: regserver.Options{NoMonolithicPost: true}}, "team/app")
	for seed := range byte(3) {
		if err := repo.Upload(t.Context(), registry.Bytes(sized(1000, seed))); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := srv.Count("", "/v2/team/app/*"), 6; got != want {
		t.Errorf("%d requests, want %d: %q", got, want, requests(srv))
	}
	if got, want := srv.UploadedBlobBytes(), int64(4*1000); got != want {
		t.Errorf("%d bytes uploaded, want %d", got, want)
	}
}

// Uploads of one client run side by side; the ping is all that they wait for.
func TestUploadsInParallel(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{Latency: 30 * time.Millisecond})
	c := client(t, registry.Options{})
	errs := make(chan error)
	for seed := range byte(6) {
		repo := repository(t, c, srv.Host+"/team/app")
		go func() { errs <- repo.Upload(t.Context(), registry.Bytes(sized(100<<10, seed))) }()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if got, want := srv.RoundTrips(), 3; got != want {
		t.Errorf("%d round trips, want %d (ping, POST, PUT)", got, want)
	}
	if got, want := srv.Count("", "*"), 1+6*2; got != want {
		t.Errorf("%d requests, want %d", got, want)
	}
}

// An upload goes on where the registry says: at a relative or an absolute
// address, of its own host or of another, whose query stays as it was.
func TestUploadLocation(t *testing.T) {
	data := sized(100<<10, 1)
	digest := descriptor(t, registry.Bytes(data)).Digest.String()
	for _, test := range []struct {
		name, location string // $HOST and $OTHER are the two servers
		path           string
		query          url.Values
	}{
		{"absolute path", "/upload/1?_state=a%2Bb%3D%3D&x=1&x=2", "/upload/1", url.Values{"_state": {"a+b=="}, "x": {"1", "2"}}},
		{"relative path", "one?_state=s", "/v2/team/app/blobs/uploads/one", url.Values{"_state": {"s"}}},
		{"without a query", "/upload/1", "/upload/1", url.Values{}},
		{"absolute", "http://$HOST/upload/1?_state=s", "/upload/1", url.Values{"_state": {"s"}}},
		{"scheme of a proxy in front", "https://$HOST/upload/1?_state=s", "/upload/1", url.Values{"_state": {"s"}}},
		{"without a scheme", "//$HOST/upload/1?_state=s", "/upload/1", url.Values{"_state": {"s"}}},
		{"other host", "http://$OTHER/upload/1?sig=s", "/upload/1", url.Values{"sig": {"s"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []*http.Request
			session := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r)
				w.WriteHeader(http.StatusCreated)
			})
			other := httptest.NewServer(session)
			defer other.Close()
			mux := http.NewServeMux()
			mux.Handle("/", session)
			mux.HandleFunc("GET /v2/{$}", func(http.ResponseWriter, *http.Request) {})
			mux.HandleFunc("POST /v2/team/app/blobs/uploads/{$}", func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Location"] = []string{strings.NewReplacer("$HOST", r.Host, "$OTHER", other.Listener.Addr().String()).Replace(test.location)}
				w.WriteHeader(http.StatusAccepted)
			})
			srv := httptest.NewServer(mux)
			defer srv.Close()

			repo := repository(t, client(t, registry.Options{}), srv.Listener.Addr().String()+"/team/app")
			if err := repo.Upload(t.Context(), registry.Bytes(data)); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 {
				t.Fatalf("%d requests reached the location", len(got))
			}
			if got[0].Method != http.MethodPut || got[0].URL.Path != test.path {
				t.Errorf("%s %s, want PUT %s", got[0].Method, got[0].URL.Path, test.path)
			}
			test.query.Set("digest", digest)
			if diff := cmp.Diff(test.query, got[0].URL.Query()); diff != "" {
				t.Errorf("query (-want +got):\n%s", diff)
			}
		})
	}
}

// A registry that answers a PATCH with a new location is followed there.
func TestUploadFollowsEveryLocation(t *testing.T) {
	var put string
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v2/{$}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("POST /v2/team/app/blobs/uploads/{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/one?_state=1")
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("PATCH /one", func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != -1 || r.URL.RawQuery != "_state=1" {
			t.Errorf("PATCH %s with length %d, want a stream", r.URL, r.ContentLength)
		}
		w.Header().Set("Location", "two?_state=2")
		w.WriteHeader(http.StatusAccepted)
	})
	mux.HandleFunc("PUT /two", func(w http.ResponseWriter, r *http.Request) {
		put = r.URL.Query().Get("_state")
		w.WriteHeader(http.StatusCreated)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	repo := repository(t, client(t, registry.Options{}), srv.Listener.Addr().String()+"/team/app")
	if err := repo.Upload(t.Context(), streamed(sized(1000, 1))); err != nil {
		t.Fatal(err)
	}
	if put != "2" {
		t.Errorf("PUT with the state %q, want that of the last location", put)
	}
}
