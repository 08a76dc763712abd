// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-containerregistry/pkg/authn"
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
		io.Copy(io.Discard, r.Body)
		h(w, r)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return got
	}
}

// Credentials are for the registry alone, wherever it sends a client to.
func TestCredentialsStayWithTheRegistry(t *testing.T) {
	for name, b := range map[string]*registrytest.Bearer{"bearer": {}, "basic": nil} {
		for _, challenge := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/challenge %v", name, challenge), func(t *testing.T) {
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
				srv := registrytest.Start(t, registrytest.Options{Auth: rights(b, 0), Faults: func(_ int, r *http.Request) registrytest.Fault {
					switch {
					case r.Method == "GET" && strings.Contains(r.URL.Path, "/blobs/"):
						return registrytest.Fault{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"http://" + other + "/blob?sig=1"}}}
					case r.Method == "POST":
						return registrytest.Fault{Status: http.StatusAccepted, Header: http.Header{"Location": {"http://" + other + "/upload?sig=1"}}}
					}
					return registrytest.Fault{}
				}})
				repo := repository(t, client(t, registry.Options{Keychain: baker, Retries: -1}), srv.Host+"/team/app")
				desc := descriptor(t, registry.Bytes(there))
				_, get := read(t.Context(), repo, desc)
				for what, err := range map[string]error{
					"reading": get, "uploading": repo.Upload(t.Context(), registry.Bytes(large)),
					"streaming": repo.Upload(t.Context(), streamed(large)),
				} {
					if (err != nil) != challenge {
						t.Errorf("%s: %v", what, err)
					}
				}
				for _, r := range srv.Requests() {
					if r.Repo != "" && r.Header.Get("Authorization") == "" {
						t.Errorf("%s %s without credentials", r.Method, r.Path)
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
	bad := "http://127.0.0.1:1/nowhere?sig=" + secret // a port that nobody listens on
	for _, test := range []struct {
		name string
		want string // in the error's text
		h    func(http.ResponseWriter, *http.Request) bool
		do   func(*testing.T, *registry.Repository) error
	}{
		{
			name: "session refused", want: "400 Bad Request: digest_invalid: no",
			h: at("PUT", func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusBadRequest)
				fmt.Fprintf(w, `{"errors":[{"code":"DIGEST_INVALID","message":"no","detail":{"url":%q}}]}`, r.URL.String()+secret)
			}), do: push,
		},
		{name: "session cut", want: "EOF", h: at("PUT", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), do: push},
		{name: "session unavailable", want: "503 Service Unavailable", h: at("PUT", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, secret, http.StatusServiceUnavailable) }), do: push},
		{name: "session out of reach", want: "refused", h: at("POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", bad)
			w.WriteHeader(http.StatusAccepted)
		}), do: push},
		{name: "session at an invalid address", want: "no valid Location", h: at("POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "http://[half?_state="+secret)
			w.WriteHeader(http.StatusAccepted)
		}), do: push},
		{name: "redirect out of reach", want: "refused", h: at("GET", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, bad, http.StatusTemporaryRedirect)
			}
		}), do: pull},
		{name: "redirect without end", want: "stopped after 10 redirects", h: at("GET", func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/") {
				http.Redirect(w, r, r.URL.Path+"?sig="+secret, http.StatusTemporaryRedirect)
			}
		}), do: pull},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{})
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/v2/" || !test.h(w, r) {
					srv.ServeHTTP(w, r)
				}
			}))
			defer front.Close()
			holdsNoSecret(t, front.Listener.Addr().String(), nil, test.do, test.want)
		})
	}
	for name, fault := range map[string]registrytest.Fault{
		"EOF": {Before: true}, "403 Forbidden": {Status: 403}, "503 Service Unavailable": {Status: 503},
	} {
		t.Run("token server: "+name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{
				Auth:   rights(&registrytest.Bearer{}, 0),
				Faults: registrytest.First(100, "GET", "/token", fault),
			})
			holdsNoSecret(t, srv.Host, keychain{baker.user, secret}, pull, name)
		})
	}
}

// quoting answers with status and with the credentials of the request in an
// error's code, message and detail.
func quoting(status int) wire {
	return func(req *http.Request) (int, http.Header, string) {
		sent := req.Header.Get("Authorization")
		if sent == "" && req.Method == http.MethodGet && req.URL.Path == "/v2/" {
			return 401, http.Header{"Www-Authenticate": {`Basic realm="registry"`}}, ""
		}
		_, password, _ := req.BasicAuth()
		return status, nil, fmt.Sprintf(`{"errors":[{"code":%q,"message":"got %s, which is %s","detail":%q}]}`, sent, sent, password, sent)
	}
}

// A registry that quotes what it was sent is not quoted.
func TestQuotedCredentials(t *testing.T) {
	const password = "PASS-WORD"
	for _, status := range []int{206, 302, 400, 403, 503} {
		var log bytes.Buffer
		c := client(t, registry.Options{Transport: quoting(status), Keychain: keychain{"alice", password}, Retries: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		_, _, err := repository(t, c, "registry.test/team/app").Manifest(t.Context(), "v1")
		if err == nil || !strings.Contains(err.Error(), "got [hidden], which is [hidden]") || !strings.Contains(err.Error(), strconv.Itoa(status)) {
			t.Errorf("%d: got %v", status, err)
		}
		for _, text := range []string{fmt.Sprint(err), log.String()} {
			for _, sent := range []string{password, base64.StdEncoding.EncodeToString([]byte("alice:" + password)), "https://", "detail"} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(sent)) {
					t.Errorf("%d: %q in %q", status, sent, text)
				}
			}
		}
	}
}

// An identity token that its token server quotes is not quoted either.
func TestQuotedIdentityToken(t *testing.T) {
	net := wire(func(req *http.Request) (int, http.Header, string) {
		if req.URL.Host == "registry.test" {
			return 401, http.Header{"Www-Authenticate": {`Bearer realm="https://auth.test/token",service="s"`}}, ""
		}
		return 400, nil, `{"errors":[{"code":"DENIED","message":"no such token as IDENTITY"}]}`
	})
	c := client(t, registry.Options{Transport: net, Keychain: form("IDENTITY"), Retries: -1})
	_, _, err := repository(t, c, "registry.test/team/app").Manifest(t.Context(), "v1")
	if err == nil || !strings.HasSuffix(err.Error(), "no such token as [hidden]") {
		t.Errorf("got %v", err)
	}
}

const secret = "SECRET"

// holdsNoSecret checks the texts of what do fails with, of which want is part.
func holdsNoSecret(t *testing.T, host string, k authn.Keychain, do func(*testing.T, *registry.Repository) error, want string) {
	t.Helper()
	var log bytes.Buffer
	c := client(t, registry.Options{Keychain: k, Retries: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	err := do(t, repository(t, c, host+"/team/app"))
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %q", err, want)
	}
	for _, text := range []string{err.Error(), log.String()} {
		if strings.ContainsAny(text, "?&") || strings.Contains(text, secret) || strings.Contains(text, "_state") || strings.Contains(text, "scope") {
			t.Errorf("a secret in %q", text)
		}
	}
}

func at(method string, h http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == method {
			io.Copy(io.Discard, r.Body) // or the connection would be reset
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
	_, err := read(t.Context(), repo, desc)
	return err
}
