// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"errors"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// maxManifest is the size in bytes that the spec asks everyone to support.
const maxManifest = 4 << 20

func (s *Server) getManifest(w http.ResponseWriter, r *http.Request, t target) error {
	rev, err := s.store.revision(t.name, t.ref)
	if errors.Is(err, fs.ErrNotExist) {
		return manifestUnknown()
	}
	if err != nil {
		return err
	}
	if !accepts(r, rev.mediaType) {
		return refusal(http.StatusNotFound, codeManifestUnknown, "the manifest is a "+rev.mediaType+", which Accept does not name")
	}
	h := w.Header()
	h.Set("Content-Type", rev.mediaType)
	h.Set("Docker-Content-Digest", string(rev.digest))
	h.Set("Etag", `"`+string(rev.digest)+`"`)
	h.Set("Content-Length", strconv.Itoa(len(rev.raw)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(rev.raw) // the client may be gone
	}
	return nil
}

// accepts is true for a request without Accept. Like distribution, the
// registry does not hand out a type that the client has not asked for.
func accepts(r *http.Request, mediaType string) bool {
	values := r.Header.Values("Accept")
	for _, value := range values {
		for one := range strings.SplitSeq(value, ",") {
			got, _, err := mime.ParseMediaType(one)
			if err == nil && (got == mediaType || got == "*/*" || got == "application/*") {
				return true
			}
		}
	}
	return len(values) == 0
}

func (s *Server) putManifest(w http.ResponseWriter, r *http.Request, t target) error {
	tag, algorithm := t.ref, sha256Algorithm
	var want digest
	if strings.Contains(t.ref, ":") {
		d, err := parseDigest(t.ref)
		if err != nil {
			return err
		}
		tag, want, algorithm = "", d, d.algorithm()
	} else if !validTag(tag) {
		return refusal(http.StatusBadRequest, codeTagInvalid, "invalid tag")
	}
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxManifest))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return refusal(http.StatusRequestEntityTooLarge, codeSizeInvalid, "a manifest has at most "+strconv.Itoa(maxManifest)+" bytes")
	}
	if err != nil {
		return refusal(http.StatusBadRequest, codeManifestInvalid, "the body ended early")
	}
	m, err := parseManifest(r.Header.Get("Content-Type"), raw)
	if err != nil {
		return err
	}
	m.digest = digestBytes(algorithm, raw)
	if want != "" && m.digest != want {
		return refusal(http.StatusBadRequest, codeDigestInvalid, "the digest does not match the manifest").about(string(m.digest))
	}
	if err := s.store.addRevision(t.name, m, tag); err != nil {
		return err
	}
	if m.Subject != nil && !s.opts.NoReferrers {
		w.Header().Set("Oci-Subject", m.Subject.Digest)
	}
	w.Header().Set("Location", "/v2/"+t.name+"/manifests/"+string(m.digest))
	w.Header().Set("Docker-Content-Digest", string(m.digest))
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (s *Server) deleteManifest(w http.ResponseWriter, _ *http.Request, t target) error {
	var err error
	if strings.Contains(t.ref, ":") {
		var d digest
		if d, err = parseDigest(t.ref); err == nil {
			err = s.store.removeRevision(t.name, d)
		}
	} else if err = fs.ErrNotExist; validTag(t.ref) {
		err = s.store.removeTag(t.name, t.ref)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return manifestUnknown()
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusAccepted)
	return nil
}

func manifestUnknown() error {
	return refusal(http.StatusNotFound, codeManifestUnknown, "manifest unknown to the repository")
}
