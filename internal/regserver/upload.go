// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// startUpload answers POST: a mount, a blob in a single request, or a session.
func (s *Server) startUpload(w http.ResponseWriter, r *http.Request, t target) error {
	q := r.URL.Query()
	if mounted, err := s.mount(w, t.name, q); err != nil || mounted {
		return err
	}
	if q.Has("digest") && !q.Has("mount") {
		if !s.opts.NoMonolithicPost {
			return s.postBlob(w, r, t)
		}
		// Reading the body lets the client see the answer rather than a reset.
		_, _ = io.Copy(io.Discard, r.Body)
	}
	algorithm := sha256Algorithm
	if q.Has("digest-algorithm") {
		algorithm = q.Get("digest-algorithm")
	}
	u, err := s.sessions.open(t.name, algorithm)
	if err != nil {
		return err
	}
	s.sessions.publish(u)
	if s.opts.ChunkMinLength > 0 {
		w.Header().Set("Oci-Chunk-Min-Length", strconv.FormatInt(s.opts.ChunkMinLength, 10))
	}
	progress(w, u, http.StatusAccepted)
	return nil
}

// mount reports whether it has answered. The spec falls back to a session for
// every mount that cannot be.
func (s *Server) mount(w http.ResponseWriter, name string, q url.Values) (bool, error) {
	from := q.Get("from")
	if s.opts.NoMount || !q.Has("mount") || !validName(from) {
		return false, nil
	}
	d, err := parseDigest(q.Get("mount"))
	if err != nil {
		return false, nil
	}
	mounted, err := s.store.mountBlob(from, name, d)
	if err != nil || !mounted {
		return false, err
	}
	created(w, name, d)
	return true, nil
}

func (s *Server) postBlob(w http.ResponseWriter, r *http.Request, t target) error {
	d, err := parseDigest(r.URL.Query().Get("digest"))
	if err != nil {
		return err
	}
	u, err := s.sessions.open(t.name, d.algorithm())
	if err != nil {
		return err
	}
	if _, err = u.add(r.Body); err == nil {
		err = s.finish(u, d)
	}
	if errors.Is(err, errBody) {
		err = refusal(http.StatusBadRequest, codeBlobUploadInvalid, "the body ended early")
	}
	if err := errors.Join(err, s.sessions.end(u)); err != nil {
		return err
	}
	created(w, t.name, d)
	return nil
}

// use runs work on the session that the request names. An error of the storage
// ends the session, as does every refusal except of a range, because the spec
// lets a client go on only after that.
func (s *Server) use(w http.ResponseWriter, r *http.Request, t target, work func(*session) error) error {
	u, err := s.sessions.acquire(r.Context(), t.name, t.ref, r.URL.Query().Get("_state"))
	if err != nil {
		return err
	}
	defer s.sessions.release(u)
	err = work(u)
	if errors.Is(err, errBody) {
		return refusal(http.StatusBadRequest, codeBlobUploadInvalid, "the body ended early")
	}
	var e *refused
	if errors.As(err, &e) && e.status == http.StatusRequestedRangeNotSatisfiable {
		setProgress(w, u)
		return err
	}
	if err != nil {
		return errors.Join(err, s.sessions.end(u))
	}
	return nil
}

func (s *Server) getUpload(w http.ResponseWriter, r *http.Request, t target) error {
	return s.use(w, r, t, func(u *session) error {
		progress(w, u, http.StatusNoContent)
		return nil
	})
}

func (s *Server) cancelUpload(w http.ResponseWriter, r *http.Request, t target) error {
	return s.use(w, r, t, func(u *session) error {
		if err := s.sessions.end(u); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	})
}

func (s *Server) patchUpload(w http.ResponseWriter, r *http.Request, t target) error {
	return s.use(w, r, t, func(u *session) error {
		if u.last {
			return refusal(http.StatusBadRequest, codeSizeInvalid, "only the last chunk may be shorter than OCI-Chunk-Min-Length")
		}
		n, err := addChunk(u, r)
		if err != nil {
			return err
		}
		u.last = n < s.opts.ChunkMinLength
		progress(w, u, http.StatusAccepted)
		return nil
	})
}

func (s *Server) finishUpload(w http.ResponseWriter, r *http.Request, t target) error {
	d, err := parseDigest(r.URL.Query().Get("digest"))
	if err != nil {
		return err // the session stays: nothing was done to it
	}
	return s.use(w, r, t, func(u *session) error {
		if _, err := addChunk(u, r); err != nil {
			return err
		}
		if err := s.finish(u, d); err != nil {
			return err
		}
		if err := s.sessions.end(u); err != nil {
			return err
		}
		created(w, t.name, d)
		return nil
	})
}

// finish stores a blob if it is the one that d stands for.
func (s *Server) finish(u *session, d digest) error {
	got, err := u.digest(d.algorithm())
	if err != nil {
		return fmt.Errorf("hashing the upload %s: %w", u.id, err)
	}
	if got != d {
		return refusal(http.StatusBadRequest, codeDigestInvalid, "the digest does not match the content").about(string(got))
	}
	return s.store.addBlob(u.name, d, u.content)
}

// rangeGrammar is the spec's, which is not that of RFC 9110.
var rangeGrammar = lazyregexp.New(`^([0-9]+)-([0-9]+)$`)

// addChunk appends the request's body, which is all of its Content-Range where
// it has one.
func addChunk(u *session, r *http.Request) (int64, error) {
	header := r.Header.Get("Content-Range")
	if header == "" {
		return u.add(r.Body)
	}
	m := rangeGrammar().FindStringSubmatch(header)
	if m == nil {
		return 0, refusal(http.StatusRequestedRangeNotSatisfiable, codeBlobUploadInvalid, "Content-Range is not START-END")
	}
	start, err1 := strconv.ParseInt(m[1], 10, 64)
	end, err2 := strconv.ParseInt(m[2], 10, 64)
	if err1 != nil || err2 != nil || end < start || start != u.size {
		return 0, refusal(http.StatusRequestedRangeNotSatisfiable, codeBlobUploadInvalid, "Content-Range does not follow the bytes so far")
	}
	want := end - start + 1
	mismatch := refusal(http.StatusBadRequest, codeSizeInvalid, "Content-Range does not match the length of the body")
	if r.ContentLength >= 0 && r.ContentLength != want {
		return 0, mismatch
	}
	n, err := u.add(io.LimitReader(r.Body, want+1))
	if err == nil && n != want {
		return n, mismatch
	}
	return n, err
}

// setProgress sets the headers that every answer about a session has. An empty
// session has the range 0-0, like one with a single byte: the spec's form has
// no other, and the registries that are in use answer the same.
func setProgress(w http.ResponseWriter, u *session) {
	h := w.Header()
	h.Set("Location", "/v2/"+u.name+"/blobs/uploads/"+u.id+"?_state="+u.state)
	h.Set("Range", fmt.Sprintf("0-%d", max(u.size-1, 0)))
	h.Set("Docker-Upload-Uuid", u.id)
}

func progress(w http.ResponseWriter, u *session, status int) {
	setProgress(w, u)
	w.WriteHeader(status)
}

func created(w http.ResponseWriter, name string, d digest) {
	w.Header().Set("Location", "/v2/"+name+"/blobs/"+string(d))
	w.Header().Set("Docker-Content-Digest", string(d))
	w.WriteHeader(http.StatusCreated)
}
