// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// turning is a registry without TLS whose ping goes in circles.
type turning struct{}

func (turning) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.URL.Scheme == "https" {
		return nil, http.ErrSchemeMismatch
	}
	return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"/v2/"}}, Body: http.NoBody, Request: req}, nil
}

// TestInsecureHint names --insecure where plain HTTP was refused for the lack of
// it, and not where it was spoken.
func TestInsecureHint(t *testing.T) {
	for host, want := range map[string]bool{"registry.example.com": true, "10.0.0.5:5000": true, "127.0.0.1:5000": false} {
		reg, err := name.NewRegistry(host)
		if err != nil {
			t.Fatal(err)
		}
		check := &loginCheck{reg, registry.Options{Transport: turning{}, Retries: -1, Logger: slog.New(slog.DiscardHandler)}}
		_, err = check.check(t.Context(), "alice", "secret", secretsOf("alice", "secret"))
		if err == nil || strings.Contains(hint(err), "--insecure") != want {
			t.Errorf("%s: %v; hint %q", host, err, hint(err))
		}
	}
}

// TestRedact takes a password out of an error, and out of the log, in every form
// that it was sent in.
func TestRedact(t *testing.T) {
	const password = `a"b&c`
	secrets := secretsOf("alice", password)
	for _, said := range []string{password, `{"Secret":"a\"b\u0026c"}`, "YWxpY2U6YSJiJmM="} {
		err := errors.New("no: " + said)
		var log strings.Builder
		slog.New(redactedLog{slog.NewTextHandler(&log, nil), secrets}).Info("said", "because", err)
		for _, got := range []string{redact(err, secrets).Error(), log.String()} {
			if !strings.Contains(got, "(password)") || strings.Contains(got, "u0026c") || strings.Contains(got, "b&c") || strings.Contains(got, "YWxp") {
				t.Errorf("%s: got %s", said, got)
			}
		}
	}
}
