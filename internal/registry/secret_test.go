// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// elsewhere is a server on another port than the registry's, which notes the
// credentials that it is sent.
func elsewhere(t *testing.T, h http.HandlerFunc) (host string, credentials func() []string) {
	t.Helper()
	var mu sync.Mutex
	var got []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		got = append(got, r.Header.Get("Authorization"))
		mu.Unlock()
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

// inFront serves srv, except for requests that h answers.
func inFront(t *testing.T, srv *registrytest.Server, h func(http.ResponseWriter, *http.Request) bool) string {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/" && r.URL.Path != "/token" && r.Header.Get("Authorization") == "" {
			t.Errorf("%s %s without credentials", r.Method, r.URL.Path)
		}
		if !h(w, r) {
			srv.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(front.Close)
	return front.Listener.Addr().String()
}

// Credentials are for the registry alone, wherever it sends a client to.
func TestCredentialsStayWithTheRegistry(t *testing.T) {
	for name, b := range map[string]*registrytest.Bearer{"bearer": {}, "basic": nil} {
		for _, challenge := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/challenge %v", name, challenge), func(t *testing.T) {
				srv := registrytest.Start(t, registrytest.Options{Auth: rights(b, 0)})
				var other string
				other, credentials := elsewhere(t, func(w http.ResponseWriter, r *http.Request) {
					switch {
					case challenge && r.URL.Path != "/token":
						w.Header().Add("Www-Authenticate", `Basic realm="other"`)
						w.Header().Add("Www-Authenticate", `Bearer realm="http://`+other+`/token",service="other"`)
						w.WriteHeader(http.StatusUnauthorized)
					case r.Method == "GET":
						w.Write(there) // a client that knows enough hangs up
					case r.Method == "PATCH":
						w.Header().Set("Location", r.URL.Path)
						w.WriteHeader(http.StatusAccepted)
					default:
						w.WriteHeader(http.StatusCreated)
					}
				})
				host := inFront(t, srv, func(w http.ResponseWriter, r *http.Request) bool {
					switch {
					case r.Method == "GET" && strings.Contains(r.URL.Path, "/blobs/"):
						http.Redirect(w, r, "http://"+other+"/blob?sig=1", http.StatusTemporaryRedirect)
					case r.Method == "POST":
						w.Header().Set("Location", "http://"+other+"/upload?sig=1")
						w.WriteHeader(http.StatusAccepted)
					default:
						return false
					}
					return true
				})
				repo := repository(t, client(t, registry.Options{Keychain: baker, Retries: -1}), host+"/team/app")
				desc := descriptor(t, registry.Bytes(there))
				_, get := repo.SmallBlob(t.Context(), desc, desc.Size)
				for what, err := range map[string]error{
					"reading": get, "uploading": repo.Upload(t.Context(), registry.Bytes(large)),
					"streaming": repo.Upload(t.Context(), streamed(large)),
				} {
					if (err != nil) != challenge {
						t.Errorf("%s: %v", what, err)
					}
				}
				got := credentials()
				if len(got) < 3 {
					t.Errorf("%d requests went elsewhere", len(got))
				}
				for _, c := range got {
					if c != "" {
						t.Errorf("credentials went elsewhere: %s", c)
					}
				}
			})
		}
	}
}

// Neither errors nor the log repeat what queries, headers and details of
// answers hold.
func TestTextsHoldNoSecrets(t *testing.T) {
	const secret = "SECRET"
	bad := "http://127.0.0.1:1/nowhere?sig=" + secret // a port that nobody listens on
	for _, test := range []struct {
		name string
		auth *registrytest.Auth
		h    func(http.ResponseWriter, *http.Request) bool
		do   func(*testing.T, *registry.Repository) error
	}{
		{
			name: "session refused",
			h: at("PUT", func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"errors":[{"code":"DIGEST_INVALID","message":"no","detail":{"url":%q}}]}`, r.URL.String()+secret)
			}), do: push,
		},
		{name: "session cut", h: at("PUT", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), do: push},
		{name: "session unavailable", h: at("PUT", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, 503) }), do: push},
		{name: "session out of reach", h: at("POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", bad)
			w.WriteHeader(http.StatusAccepted)
		}), do: push},
		{name: "session at an invalid address", h: at("POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[half?_state="+secret)
			w.WriteHeader(http.StatusAccepted)
		}), do: push},
		{name: "redirect out of reach", h: at("GET", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, bad, http.StatusTemporaryRedirect)
			}
		}), do: pull},
		{name: "redirect without end", h: at("GET", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, r.URL.Path+"?sig="+secret, http.StatusTemporaryRedirect)
			}
		}), do: pull},
		{name: "token server cut", auth: rights(&registrytest.Bearer{}, 0), h: func(_ http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				panic(http.ErrAbortHandler)
			}
			return false
		}, do: pull},
		{name: "token refused", auth: rights(&registrytest.Bearer{}, 0), h: func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/token" {
				http.Error(w, secret, http.StatusForbidden)
			}
			return r.URL.Path == "/token"
		}, do: pull},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{Auth: test.auth})
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" || !test.h(w, r) {
					srv.ServeHTTP(w, r)
				}
			}))
			defer front.Close()
			var log bytes.Buffer
			opts := registry.Options{Retries: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))}
			if test.auth != nil {
				opts.Keychain = keychain{baker.user, secret}
			}
			repo := repository(t, client(t, opts), front.Listener.Addr().String()+"/team/app")
			err := test.do(t, repo)
			if err == nil {
				t.Fatal("no error")
			}
			for _, text := range []string{err.Error(), log.String()} {
				if strings.Contains(text, secret) || strings.Contains(text, "?") || strings.Contains(text, "_state") || strings.Contains(text, "scope=") {
					t.Errorf("a secret in %q", text)
				}
			}
		})
	}
}

func at(method string, h http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == method {
			h(w, r)
		}
		return r.Method == method
	}
}

func push(t *testing.T, repo *registry.Repository) error {
	return repo.Upload(t.Context(), registry.Bytes(large))
}

func pull(t *testing.T, repo *registry.Repository) error {
	desc := descriptor(t, registry.Bytes(there))
	_, err := repo.SmallBlob(t.Context(), desc, desc.Size)
	return err
}
