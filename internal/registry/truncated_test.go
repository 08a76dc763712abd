// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// raw sends an answer as it is and closes the connection.
func raw(t *testing.T, w http.ResponseWriter, answer string) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, err = buffered.WriteString(answer)
	if err = errors.Join(err, buffered.Flush(), conn.Close()); err != nil {
		t.Log(err) // the client knows enough
	}
}

// truncations is ways in which a part of body is sent as if it were the whole.
var truncations = map[string]func(header string, body []byte) string{
	"a length that is too long": func(header string, body []byte) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body), body[:len(body)/2])
	},
	"a length that is too short": func(header string, body []byte) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s", header, len(body)/2, body)
	},
	"no length": func(header string, body []byte) string {
		return fmt.Sprintf("HTTP/1.0 200 OK\r\n%s\r\n%s", header, body[:len(body)/2])
	},
	"chunks without an end": func(header string, body []byte) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", header, len(body)/2, body[:len(body)/2])
	},
	"chunks with an end": func(header string, body []byte) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", header, len(body)/2, body[:len(body)/2])
	},
}

// A part of a manifest or of a blob is never taken for the whole, whatever the
// answer says of its length: once sent, the rest is asked for; always sent, the
// request fails.
func TestTruncatedAnswers(t *testing.T) {
	manifestDigest := descriptor(t, registry.Bytes(manifest)).Digest.String()
	for name, truncated := range truncations {
		for _, path := range []string{"/manifests/", "/blobs/"} {
			for _, times := range []int64{1, 100} {
				t.Run(fmt.Sprintf("%s/%s/%d", name, strings.Trim(path, "/"), times), func(t *testing.T) {
					bubble(t, nil, registry.Options{}, func(t *testing.T, srv *registrytest.Server, _ *registry.Repository) {
						var n atomic.Int64
						tr := pipe(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
							if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, path) || r.Header.Get("Range") != "" && times == 1 || n.Add(1) > times {
								srv.ServeHTTP(w, r)
								return
							}
							whole := httptest.NewRecorder()
							srv.ServeHTTP(whole, r)
							digest := whole.Header().Get("Docker-Content-Digest")
							raw(t, w, truncated("Docker-Content-Digest: "+digest+"\r\n", whole.Body.Bytes()))
						}))
						repo := repository(t, registry.New(registry.Options{Transport: tr, Retries: 2}), inMemory+"team/app")
						var got, want []byte
						var err error
						if path == "/blobs/" {
							want = there
							got, err = read(t.Context(), repo, descriptor(t, registry.Bytes(there)))
						} else {
							want = manifest
							_, got, err = repo.Manifest(t.Context(), "v0")
							if _, byDigest, derr := repo.Manifest(t.Context(), manifestDigest); derr == nil && !bytes.Equal(byDigest, manifest) {
								t.Errorf("by digest: %q", byDigest)
							}
						}
						if err == nil && !bytes.Equal(got, want) {
							t.Errorf("got %d bytes of %d", len(got), len(want))
						}
						// A manifest that does not have its digest was not cut
						// off: nothing else would come of another request.
						whole := strings.Contains("a length that is too short, no length, chunks with an end", name)
						if fails := times > 1 || whole && path == "/manifests/"; (err != nil) != fails {
							t.Errorf("got %v, want an error: %t", err, fails)
						}
						if err != nil && !errors.Is(err, registry.ErrIntegrity) && !errors.Is(err, registry.ErrUnavailable) {
							t.Errorf("got %v, which is of no kind", err)
						}
						if n.Load() > 6 {
							t.Errorf("%d requests with 2 retries", n.Load())
						}
					})
				})
			}
		}
	}
}
