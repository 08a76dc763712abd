// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
)

// forbid answers what the registry's policies do not allow.
func (s *Server) forbid(w http.ResponseWriter, r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	if status := s.opts.ReadOnly; status != 0 {
		code := "DENIED"
		if status == http.StatusMethodNotAllowed {
			code = "UNSUPPORTED"
			w.Header().Set("Allow", "GET, HEAD")
		}
		refuse(w, r, status, code, "the registry is read-only")
		return true
	}
	if s.opts.Full != 0 && strings.Contains(r.URL.Path, "/blobs/uploads/") {
		// Like a disk that fills up: the bytes come first. A request that
		// brings none is none of its business.
		if n, err := io.Copy(io.Discard, r.Body); n == 0 && err == nil {
			return false
		}
		refuse(w, r, s.opts.Full, "UNKNOWN", "no space left on device")
		return true
	}
	if s.opts.Immutable != 0 && r.Method == http.MethodPut {
		return s.forbidMove(w, r)
	}
	return false
}

// forbidMove handles every PUT of a tag to a registry with immutable tags.
func (s *Server) forbidMove(w http.ResponseWriter, r *http.Request) bool {
	_, tag, ok := strings.Cut(r.URL.Path, "/manifests/")
	if !ok || strings.Contains(tag, ":") {
		return false
	}
	s.tags.Lock()
	defer s.tags.Unlock()
	look := r.Clone(r.Context())
	look.Method, look.Body = http.MethodHead, http.NoBody
	look.Header.Del("Accept")
	head := httptest.NewRecorder()
	s.registry.ServeHTTP(head, look)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "MANIFEST_INVALID", "the body ended early")
		return true
	}
	sum := sha256.Sum256(body)
	current := head.Header().Get("Docker-Content-Digest")
	if head.Code == http.StatusOK && current != "sha256:"+hex.EncodeToString(sum[:]) {
		refuse(w, r, s.opts.Immutable, "TAG_INVALID", "tag "+tag+" exists and is immutable")
		return true
	}
	put := r.Clone(r.Context())
	put.Body = io.NopCloser(bytes.NewReader(body))
	s.registry.ServeHTTP(w, put)
	return true
}

// refuse answers an error in the form of the distribution spec.
func refuse(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	body, err := json.Marshal(map[string]any{
		"errors": []map[string]string{{"code": code, "message": message}},
	})
	if err != nil {
		panic(err) // maps of strings always encode
	}
	if w.Header().Get("Content-Type") == "" { // of a Fault
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may be gone
	}
}
