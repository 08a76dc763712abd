// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// A trap is a server that registries send clients to. It notes the credentials
// that it gets.
type trap struct {
	host string

	mu          sync.Mutex
	paths       []string
	credentials []string
}

// serve runs a server until t ends, over TLS where it has a certificate.
func serve(t testing.TB, pair keyPair, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if pair.cert != "" {
		cert, err := tls.LoadX509KeyPair(pair.cert, pair.key)
		if err != nil {
			t.Fatal(err)
		}
		s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func setTrap(t testing.TB, pair keyPair, answer string) *trap {
	t.Helper()
	p := &trap{}
	p.host = serve(t, pair, func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.paths = append(p.paths, r.URL.Path)
		if c := r.Header.Get("Authorization"); c != "" {
			p.credentials = append(p.credentials, c)
		}
		io.WriteString(w, answer)
	})
	return p
}

// TestHostileRegistry meets registries that send clients, or their passwords, to
// where they should not go.
func TestHostileRegistry(t *testing.T) {
	t.Parallel()
	mine := newAuthority(t)
	pair := mine.serving(t, time.Now().Add(time.Hour), "127.0.0.1", "localhost")
	base := baseLayout(t)
	port := func(host string) string { return host[strings.LastIndexByte(host, ':'):] }
	challenge := func(realm string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Www-Authenticate", fmt.Sprintf("Bearer realm=%q,service=s", realm))
			w.WriteHeader(http.StatusUnauthorized)
		}
	}
	redirect := func(to string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v2/" {
				return
			}
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	}
	uploadTo := func(to string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, r *http.Request) {
			switch r.Method {
			case http.MethodHead:
				w.WriteHeader(http.StatusNotFound)
			case http.MethodPost:
				w.Header().Set("Location", to+"?sig=1")
				w.WriteHeader(http.StatusAccepted)
			}
		}
	}
	for _, c := range []struct {
		name string
		// answer makes the registry's handler, with a trap over http and one over
		// https.
		answer func(plain, secure *trap) func(http.ResponseWriter, *http.Request)
		sent   int // credentials to the trap over https
		code   int
		texts  []string
	}{
		{
			name: "a realm over plain HTTP",
			answer: func(plain, _ *trap) func(http.ResponseWriter, *http.Request) {
				return challenge("http://" + plain.host + "/token")
			},
			code: 8, texts: []string{"it does not speak https", "none was sent"},
		},
		{
			name: "a realm at a private address",
			answer: func(_, secure *trap) func(http.ResponseWriter, *http.Request) {
				return challenge("https://" + secure.host + "/token")
			},
			code: 8, texts: []string{"it is at a private or link-local address", "none was sent"},
		},
		{
			name: "a realm at the metadata of the cloud",
			answer: func(_, _ *trap) func(http.ResponseWriter, *http.Request) {
				return challenge("https://169.254.169.254/token")
			},
			code: 8, texts: []string{"it is at a private or link-local address"},
		},
		{
			// As of Docker Hub, whose tokens are at another host.
			name: "a realm on another host", sent: 1,
			answer: func(_, secure *trap) func(http.ResponseWriter, *http.Request) {
				return challenge("https://localhost" + port(secure.host) + "/token")
			},
			code: 8, texts: []string{"getting a token: the token server's answer holds no token"},
		},
		{
			name: "a redirect to the metadata of the cloud",
			answer: func(_, _ *trap) func(http.ResponseWriter, *http.Request) {
				return redirect("http://169.254.169.254/latest/meta-data/")
			},
			code: 8, texts: []string{"sends clients to the private address 169.254.169.254", "must be in the same network"},
		},
		{
			name: "a redirect to another host",
			answer: func(plain, _ *trap) func(http.ResponseWriter, *http.Request) {
				return redirect("http://" + plain.host + "/elsewhere?sig=1")
			},
			code: 1, texts: []string{"it is no container image"},
		},
		{
			name: "an upload to the metadata of the cloud",
			answer: func(_, _ *trap) func(http.ResponseWriter, *http.Request) {
				return uploadTo("http://169.254.169.254/x")
			},
			code: 8, texts: []string{"sends clients to the private address 169.254.169.254"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := &vault{}
			const answer = `{"refresh_token": "lobster of the token server"}`
			v.keep("lobster of the token server")
			plain, secure := setTrap(t, keyPair{}, answer), setTrap(t, pair, answer)
			host := serve(t, pair, c.answer(plain, secure))
			auth := v.authFile(t, map[string]string{host: v.account("robot", "lobster of the registry")})
			flags := []string{"--authfile", auth, "--ca-file", mine.file, "--retries", "1"}
			if strings.Contains(c.name, "upload") {
				v.refuse(t, c.code, nil, base, host+"/team/scorer:v1", flags, c.texts...)
			} else {
				v.refuse(t, c.code, nil, host+"/base/engine:v1", "oci:"+t.TempDir()+":v1", flags, c.texts...)
			}
			if len(plain.credentials) > 0 || len(secure.credentials) < c.sent || c.sent == 0 && len(secure.credentials) > 0 {
				t.Errorf("credentials went to http: %d, to https: %d", len(plain.credentials), len(secure.credentials))
			}
		})
	}
}

// writeHelper makes a credential helper of a shell script.
func writeHelper(t testing.TB, dir, name, script string) {
	t.Helper()
	file := filepath.Join(dir, "docker-credential-"+name)
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// TestHostileFiles meets credentials that cannot be read, and helpers that make
// no sense. What takes half a minute, a helper that hangs, is tested elsewhere.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	v := &vault{}
	registry := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{Users: map[string]registrytest.User{"robot": {Password: "x"}}}})
	helpers := t.TempDir()
	writeHelper(t, helpers, "rubbish", `echo "$0 walrus in the output"`)
	writeHelper(t, helpers, "nosuch", `echo '{"Username": "robot", "Secret": "walrus of the helper"}'`)
	writeHelper(t, helpers, "fails", `echo "cannot unlock"; exit 1`)
	v.keep("walrus of the file", "walrus in the output", "walrus of the helper")
	for _, c := range []struct {
		name, auth string
		texts      []string
	}{
		{"no JSON", `{"auths": {"HOST": {"auth": "walrus of the file`, []string{"auth.json:1: not valid JSON", "repair the file"}},
		{"no base64", `{"auths": {"HOST": {"auth": "walrus of the file"}}}`, []string{"is not USER:PASSWORD in base64", "repair the file"}},
		{"a helper that prints rubbish", `{"credHelpers": {"HOST": "rubbish"}}`, []string{"docker-credential-rubbish: its answer for HOST is not valid JSON"}},
		{"a helper that fails", `{"credHelpers": {"HOST": "fails"}}`, []string{"docker-credential-fails: exit status 1; what it says"}},
		{"a helper that is not there", `{"credsStore": "absent"}`, []string{"credential helper docker-credential-absent is not installed"}},
		{"a helper with a wrong password", `{"credHelpers": {"HOST": "nosuch"}}`, []string{"401 Unauthorized", "log in"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			auth := writeFile(t, "auth.json", strings.ReplaceAll(c.auth, "HOST", registry.Host))
			for i := range c.texts {
				c.texts[i] = strings.ReplaceAll(c.texts[i], "HOST", registry.Host)
			}
			vars := []string{"PATH=" + helpers + ":/usr/bin:/bin"}
			v.refuse(t, 4, vars, registry.Host+"/base/engine:v1", "oci:"+t.TempDir()+":v1", []string{"--authfile", auth}, c.texts...)
		})
	}
}
