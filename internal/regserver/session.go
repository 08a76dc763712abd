// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
)

// A session is one upload: the bytes so far and their hash.
type session struct {
	id, name string
	// state must come back with every request. It stands for the query
	// parameters of hosted registries' Locations, which clients must not drop.
	state string

	busy      chan struct{} // holds a token while a request works on the session
	over      bool
	content   staged
	algorithm string
	hash      hash.Hash
	size      int64
	last      bool // a chunk below the minimum came: it must have been the last
}

// errBody is a request whose body ended early. What came before is kept.
var errBody = errors.New("reading the request's body")

// add appends body and reports how many bytes it had. After an error other
// than errBody the session is of no more use.
func (u *session) add(body io.Reader) (int64, error) {
	read := &bodyReader{Reader: body}
	n, err := io.CopyBuffer(io.MultiWriter(u.content, u.hash), read, make([]byte, 256<<10))
	u.size += n
	if read.err != nil {
		return n, fmt.Errorf("%w: %w", errBody, read.err)
	}
	return n, err
}

// A bodyReader tells an error of the client from one of the storage.
type bodyReader struct {
	io.Reader
	err error
}

func (r *bodyReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// digest is that of all bytes so far.
func (u *session) digest(algorithm string) (digest, error) {
	if algorithm == u.algorithm {
		return digestOf(algorithm, u.hash), nil
	}
	f, err := u.content.reread()
	if err != nil {
		return "", err
	}
	h := newHash(algorithm)
	_, err = io.Copy(h, f)
	return digestOf(algorithm, h), errors.Join(err, f.Close())
}

type sessions struct {
	backend backend
	mu      sync.Mutex
	byID    map[string]*session
}

func newSessions(b backend) *sessions { return &sessions{backend: b, byID: map[string]*session{}} }

// open makes a session that no other request can find yet.
func (s *sessions) open(name, algorithm string) (*session, error) {
	h := newHash(algorithm)
	if h == nil {
		return nil, refusal(http.StatusBadRequest, codeDigestInvalid, "unsupported digest algorithm")
	}
	content, err := s.backend.stage()
	if err != nil {
		return nil, fmt.Errorf("starting an upload: %w", err)
	}
	return &session{
		id: newUUID(), name: name, state: rand.Text(), busy: make(chan struct{}, 1),
		content: content, algorithm: algorithm, hash: h,
	}, nil
}

func (s *sessions) publish(u *session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID[u.id] = u
}

// acquire waits until the session is free, for example of a request whose
// connection broke and whose last bytes are still being read.
func (s *sessions) acquire(ctx context.Context, name, id, state string) (*session, error) {
	unknown := refusal(http.StatusNotFound, codeBlobUploadUnknown, "upload unknown to the repository")
	s.mu.Lock()
	u := s.byID[id]
	s.mu.Unlock()
	if u == nil || u.name != name {
		return nil, unknown
	}
	if u.state != state {
		return nil, refusal(http.StatusBadRequest, codeBlobUploadInvalid, "the query of the upload's Location is missing or wrong")
	}
	select {
	case u.busy <- struct{}{}:
	case <-ctx.Done():
		return nil, refusal(http.StatusServiceUnavailable, codeUnknown, "the upload is in use")
	}
	if u.over {
		s.release(u)
		return nil, unknown
	}
	return u, nil
}

func (s *sessions) release(u *session) { <-u.busy }

// end drops a session that the caller holds, with what it did not commit.
func (s *sessions) end(u *session) error {
	s.mu.Lock()
	delete(s.byID, u.id)
	s.mu.Unlock()
	u.over = true
	return u.content.discard()
}

func (s *sessions) close() error {
	s.mu.Lock()
	left := slices.Collect(maps.Values(s.byID))
	s.mu.Unlock()
	var errs []error
	for _, u := range left {
		errs = append(errs, s.end(u))
	}
	return errors.Join(errs...)
}

// newUUID is a version 4 UUID; the spec wants one in an upload's Location.
func newUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
