// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
)

// discarder is a registry that throws away what it is sent: how fast it takes
// bytes depends on no disk. Nothing is there when it is asked.
type discarder struct {
	host   string
	server *http.Server
}

func startDiscarder() (*discarder, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d := &discarder{host: listener.Addr().String(), server: &http.Server{Handler: http.HandlerFunc(discard)}}
	go d.server.Serve(listener)
	return d, nil
}

func (d *discarder) stop() error { return d.server.Close() }

func discard(w http.ResponseWriter, r *http.Request) {
	repo, upload, uploads := strings.Cut(r.URL.Path, "/blobs/uploads/")
	got, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, r.Body, make([]byte, 256<<10))
	if err != nil {
		return // the client is gone
	}
	digest := r.URL.Query().Get("digest")
	switch {
	case uploads && r.Method == http.MethodPost && digest == "" || r.Method == http.MethodPatch:
		w.Header().Set("Location", repo+"/blobs/uploads/"+cmp.Or(upload, "session"))
		w.Header().Set("Range", fmt.Sprintf("0-%d", max(got-1, 0)))
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPost || r.Method == http.MethodPut:
		w.Header().Set("Location", r.URL.Path)
		w.WriteHeader(http.StatusCreated)
	case r.URL.Path == "/v2/":
		w.WriteHeader(http.StatusOK)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}
