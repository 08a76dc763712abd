// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
)

func TestJournal(t *testing.T) {
	s := registrytest.Start(t, registrytest.Options{})
	want(t, 201, s, "POST", post("team/r"), data)
	want(t, 206, s, "GET", "/v2/team/r/blobs/"+sha(data), "", "Range: bytes=0-3")
	want(t, 200, s, "HEAD", "/v2/team/r/blobs/"+sha(data), "")
	unknown := want(t, 404, s, "GET", "/v2/manifests/blobs/manifests/v1", "")
	var got []string
	for _, r := range s.Requests() {
		got = append(got, fmt.Sprintf("%s %s %s %q %d up %d down %d", r.Method, r.Path, r.Query, r.Repo, r.Status, r.RequestBytes, r.ResponseBytes))
	}
	blob := "/v2/team/r/blobs/" + sha(data)
	wantLines := []string{
		fmt.Sprintf(`POST /v2/team/r/blobs/uploads/ digest=%s "team/r" 201 up 10 down 0`, sha(data)),
		fmt.Sprintf(`GET %s  "team/r" 206 up 0 down 4`, blob),
		fmt.Sprintf(`HEAD %s  "team/r" 200 up 0 down 0`, blob),
		fmt.Sprintf(`GET /v2/manifests/blobs/manifests/v1  "manifests/blobs" 404 up 0 down %d`, len(unknown.body)),
	}
	if diff := cmp.Diff(wantLines, got); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	sums := map[string]int64{
		"up": s.UploadedBytes(), "down": s.DownloadedBytes(), "blobs up": s.UploadedBlobBytes(), "blobs down": s.DownloadedBlobBytes(),
		"all": int64(s.Count("", "*")), "gets": int64(s.Count("GET", "*")), "gets of blobs": int64(s.Count("GET", "/v2/*/blobs/sha256:*")),
		"the dot is none": int64(s.Count("GET", "/v2/team.r/*")), "round trips": int64(s.RoundTrips()),
	}
	wantSums := map[string]int64{
		"up": 10, "down": int64(4 + len(unknown.body)), "blobs up": 10, "blobs down": 4,
		"all": 4, "gets": 2, "gets of blobs": 1, "the dot is none": 0, "round trips": 4,
	}
	if diff := cmp.Diff(wantSums, sums); diff != "" {
		t.Errorf("sums (-want +got):\n%s", diff)
	}
	s.Reset()
	if n := len(s.Requests()) + s.RoundTrips(); n != 0 {
		t.Errorf("%d requests after Reset", n)
	}
}

// One request, then three at a time, then one: three round trips.
func TestRoundTrips(t *testing.T) {
	arrived := make(chan struct{}, 3)
	s := registrytest.Start(t, registrytest.Options{Faults: func(_ int, r *http.Request) registrytest.Fault {
		if r.Method == "POST" {
			arrived <- struct{}{}
		}
		return registrytest.Fault{}
	}})
	want(t, 200, s, "GET", "/v2/", "")
	var wg sync.WaitGroup
	var bodies []*io.PipeWriter
	for i := range 3 {
		body, w := io.Pipe()
		bodies = append(bodies, w)
		req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+post(fmt.Sprintf("r%d", i)), body)
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			resp, err := s.Client().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != 201 {
				t.Errorf("status %d, want 201", resp.StatusCode)
			}
		})
	}
	for range 3 {
		<-arrived // all of them before any can end
	}
	for _, w := range bodies {
		if _, err := io.Copy(w, strings.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	want(t, 200, s, "GET", "/v2/", "")
	if got := s.RoundTrips(); got != 3 {
		t.Errorf("%d round trips of %d requests, want 3 of 5", got, len(s.Requests()))
	}
}
