// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver_test

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"testing"

	"github.com/crane-bake/crane-bake/internal/regserver"
)

// With a directory, no blob is held in memory on its way in or out.
func TestDiskStreams(t *testing.T) {
	const size, most = 64 << 20, 8 << 20
	url := start(t, regserver.Options{Dir: t.TempDir()})
	resp, _ := begin.send(t, url+begin.path)
	location := url + resp.Header.Get("Location")
	zeros := func() io.Reader { return io.LimitReader(zeroReader{}, size) }
	digest := "sha256:3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351" // of the zeros

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, r := range []struct {
		method, url string
		body        io.Reader
		length      int64
	}{
		{"PATCH", location, zeros(), 0},
		{"PUT", location + "&digest=" + digest, http.NoBody, 0},
		{"GET", url + "/v2/r/blobs/" + digest, http.NoBody, size},
	} {
		if n, err := discard(t, r.method, r.url, r.body); err != nil || n != r.length {
			t.Fatalf("%s: %d bytes, %v", r.method, n, err)
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > most {
		t.Errorf("%d bytes were allocated for a blob of %d, want at most %d", used, size, most)
	}
}

// discard sends a request and counts the bytes of the answer.
func discard(t *testing.T, method, url string, body io.Reader) (int64, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		return 0, errors.New(resp.Status)
	}
	return io.Copy(io.Discard, resp.Body)
}

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
