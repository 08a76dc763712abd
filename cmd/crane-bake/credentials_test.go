// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// serviceAccount is the key file of an account of Google's whose tokens come from
// a server of the test.
func serviceAccount(t *testing.T) string {
	t.Helper()
	tokens := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token": "of-the-service", "expires_in": 3600, "token_type": "Bearer"}`)
	}))
	t.Cleanup(tokens.Close)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": "robot@project.example.com", "token_uri": tokens.URL,
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
	})
	if err != nil {
		t.Fatal(err)
	}
	return write(t, t.TempDir(), "service.json", string(text))
}

// TestCloudKeychains finds what a job on a cloud has for the cloud's registry,
// after the files.
func TestCloudKeychains(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("GITHUB_ACTOR", "octocat")
	t.Setenv("GITHUB_TOKEN", "of-the-job")
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", serviceAccount(t))
	file := write(t, t.TempDir(), "auth.json", `{"auths": {"ghcr.io/team": {"auth": "YWxpY2U6c2VjcmV0"}}}`)
	with := map[string]string{"REGISTRY_AUTH_FILE": file}
	for _, c := range []struct {
		name, repo string
		authFile   string
		vars       map[string]string
		want       string
	}{
		{"GitHub", "ghcr.io/octocat/x", "", nil, "octocat:of-the-job"},
		{"GitHub, with a file", "ghcr.io/team/x", "", with, "alice:secret"},
		{"GitHub, with a file for others", "ghcr.io/octocat/x", "", with, "octocat:of-the-job"},
		{"GitHub, with --authfile", "ghcr.io/octocat/x", file, nil, ":"},
		{"like GitHub", "ghcr.io.example.com/octocat/x", "", nil, ":"},
		{"Google", "europe-docker.pkg.dev/project/x", "", nil, "_token:of-the-service"},
		{"Google, with --authfile", "europe-docker.pkg.dev/project/x", file, nil, ":"},
		{"like Google", "pkg.dev.example.com/project/x", "", nil, ":"},
		{"Docker Hub", "octocat/x", "", nil, ":"},
	} {
		t.Run(c.name, func(t *testing.T) {
			env := &environment{lookup: func(key string) (string, bool) { v, ok := c.vars[key]; return v, ok }}
			keychain, err := (&remoteFlags{authFile: c.authFile}).keychain(env)
			if err != nil {
				t.Fatal(err)
			}
			repo, err := name.NewRepository(c.repo)
			if err != nil {
				t.Fatal(err)
			}
			found, err := authn.Resolve(t.Context(), keychain, repo)
			if err != nil {
				t.Fatal(err)
			}
			config, err := authn.Authorization(t.Context(), found)
			if err != nil {
				t.Fatal(err)
			}
			if got := config.Username + ":" + config.Password; got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// TestGoogleInterrupted ends gcloud with the search, which finds what there is the
// next time.
func TestGoogleInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("gcloud is a shell script")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("GOOGLE_APPLICATION_CREDENTIALS", filepath.Join(dir, "absent"))
	gcloud := func(script string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "gcloud"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	repo, err := name.NewRepository("gcr.io/project/x")
	if err != nil {
		t.Fatal(err)
	}
	keychain := &googleKeychain{}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	gcloud("exec sleep 10")
	if _, err := keychain.ResolveContext(ctx, repo); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}

	gcloud(`echo '{"credential": {"access_token": "of-gcloud", "token_expiry": "2999-01-02T03:04:05Z"}}'`)
	ctx, cancel = context.WithCancel(t.Context())
	found, err := keychain.ResolveContext(ctx, repo)
	cancel()
	if err != nil {
		t.Fatal(err)
	}
	if config, err := authn.Authorization(t.Context(), found); err != nil || config.Password != "of-gcloud" {
		t.Errorf("got %+v, %v", config, err)
	}
}
