// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package regserver is an OCI registry as one [http.Handler]: distribution-spec
// 1.1 with its pull, push, content discovery and content management
// workflows, in memory or on disk.
//
// It is as strict as hosted registries are: a blob belongs to the repositories
// that received it, a manifest is accepted only when everything it refers to
// is in its repository, and an upload's Location must be used as it was given.
// It authenticates nobody; wrap the handler to do so.
package regserver

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Options configure a registry. The zero value is a modern registry in memory.
type Options struct {
	// Dir keeps the content between runs and is created where missing; one
	// Server at a time may use it. Empty keeps everything in memory.
	Dir string
	// NoReferrers makes a registry that predates the referrers API.
	NoReferrers bool
	// NoMonolithicPost answers an upload in a single POST with 202, as
	// distribution 2.8 does: the body is ignored and a session begins.
	NoMonolithicPost bool
	// NoMount answers every mount with 202.
	NoMount bool
	// ChunkMinLength is the smallest chunk in bytes, except for an upload's
	// last one. Zero accepts every size and announces none.
	ChunkMinLength int64
	// Logger receives one debug record a request and an error record for each
	// failure of the storage. Nil discards them.
	Logger *slog.Logger
}

// A Server is a registry. It is safe for concurrent use.
type Server struct {
	opts     Options
	log      *slog.Logger
	store    *store
	sessions *sessions
}

// New opens the registry that o describes.
func New(o Options) (*Server, error) {
	var b backend = newMemory()
	if o.Dir != "" {
		d, err := openDisk(o.Dir)
		if err != nil {
			return nil, err
		}
		b = d
	}
	log := o.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Server{opts: o, log: log, store: &store{backend: b}, sessions: newSessions(b)}, nil
}

// Close drops unfinished uploads and releases the storage. Call it after the
// last request has ended.
func (s *Server) Close() error {
	err := s.sessions.close()
	if cerr := s.store.close(); err == nil {
		err = cerr
	}
	return err
}

// ServeHTTP answers one request of the distribution API.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sw := &statusWriter{ResponseWriter: w}
	sw.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
	if err := s.dispatch(sw, r); err != nil {
		s.refuse(sw, r, err)
	}
	s.log.DebugContext(r.Context(), "request", "method", r.Method, "path", r.URL.Path, "status", sw.status)
}

type handler func(*Server, http.ResponseWriter, *http.Request, target) error

// handlers are the endpoints of the spec's "Endpoints" table.
var handlers = map[endpoint]map[string]handler{
	baseEndpoint:      {"GET": (*Server).getBase, "HEAD": (*Server).getBase},
	catalogEndpoint:   {"GET": (*Server).getCatalog, "HEAD": (*Server).getCatalog},
	tagsEndpoint:      {"GET": (*Server).getTags, "HEAD": (*Server).getTags},
	referrersEndpoint: {"GET": (*Server).getReferrers, "HEAD": (*Server).getReferrers},
	blobEndpoint:      {"GET": (*Server).getBlob, "HEAD": (*Server).getBlob, "DELETE": (*Server).deleteBlob},
	manifestEndpoint: {
		"GET": (*Server).getManifest, "HEAD": (*Server).getManifest,
		"PUT": (*Server).putManifest, "DELETE": (*Server).deleteManifest,
	},
	uploadsEndpoint: {"POST": (*Server).startUpload},
	sessionEndpoint: {
		"GET": (*Server).getUpload, "PATCH": (*Server).patchUpload,
		"PUT": (*Server).finishUpload, "DELETE": (*Server).cancelUpload,
	},
}

func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) error {
	t, ok := parseTarget(r.URL.Path)
	if !ok {
		return refusal(http.StatusNotFound, codeUnsupported, "no such endpoint")
	}
	h, ok := handlers[t.endpoint][r.Method]
	if !ok {
		allow := slices.Sorted(maps.Keys(handlers[t.endpoint]))
		w.Header().Set("Allow", strings.Join(allow, ", "))
		return refusal(http.StatusMethodNotAllowed, codeUnsupported, "method not allowed here")
	}
	if t.named() && !validName(t.name) {
		return refusal(http.StatusBadRequest, codeNameInvalid, "invalid repository name")
	}
	return h(s, w, r, t)
}

func (s *Server) getBase(w http.ResponseWriter, _ *http.Request, _ target) error {
	return writeJSON(w, "application/json", struct{}{})
}

// A statusWriter remembers the status for the log.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.implicit()
	return w.ResponseWriter.Write(p)
}

// ReadFrom lets a blob go from its file to the socket without passing through
// user space, which a wrapper without it would prevent.
func (w *statusWriter) ReadFrom(r io.Reader) (int64, error) {
	w.implicit()
	return io.Copy(w.ResponseWriter, r)
}

func (w *statusWriter) implicit() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}
