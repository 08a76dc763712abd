// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"errors"
	"io/fs"
	"net/http"
	"time"
)

func (s *Server) getBlob(w http.ResponseWriter, r *http.Request, t target) error {
	d, err := parseDigest(t.ref)
	if err != nil {
		return err
	}
	f, _, err := s.store.openBlob(t.name, d)
	if errors.Is(err, fs.ErrNotExist) {
		return blobUnknown(d)
	}
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Docker-Content-Digest", string(d))
	h.Set("Etag", `"`+string(d)+`"`)
	h.Set("Cache-Control", "max-age=31536000")
	http.ServeContent(w, r, "", time.Time{}, f) // answers Range and If-None-Match
	return f.Close()
}

func (s *Server) deleteBlob(w http.ResponseWriter, _ *http.Request, t target) error {
	d, err := parseDigest(t.ref)
	if err != nil {
		return err
	}
	err = s.store.removeBlob(t.name, d)
	if errors.Is(err, fs.ErrNotExist) {
		return blobUnknown(d)
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func blobUnknown(d digest) error {
	return refusal(http.StatusNotFound, codeBlobUnknown, "blob unknown to the repository").about(string(d))
}
