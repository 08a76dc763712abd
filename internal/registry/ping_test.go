// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// wire is a network made of a function from requests to answers.
type wire func(*http.Request) (status int, header http.Header, body string)

func (f wire) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		io.Copy(io.Discard, req.Body)
		req.Body.Close()
	}
	status, header, body := f(req)
	if status == 0 {
		return nil, http.ErrSchemeMismatch
	}
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req}, nil
}

// noted is f with a list of what it was sent, credentials in brackets.
func noted(f wire) (wire, func() []string) {
	var mu sync.Mutex
	var got []string
	return func(req *http.Request) (int, http.Header, string) {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, strings.TrimSpace(req.URL.Scheme+"://"+req.URL.Host+req.URL.Path+" "+req.Header.Get("Authorization")))
			return f(req)
		}, func() []string {
			mu.Lock()
			defer mu.Unlock()
			return got
		}
}

func redirect(status int, to string) (int, http.Header, string) {
	return status, http.Header{"Location": {to}}, ""
}

// A ping is not sent to private addresses, nor without end; neither's address
// is told.
func TestPingRedirected(t *testing.T) {
	for _, c := range []struct{ to, want string }{
		{"http://169.254.169.254/v2/?sig=" + secret, "plain HTTP is not allowed"},
		{"https://169.254.169.254/v2/?sig=" + secret, "private address 169.254.169.254"},
		{"https://registry.test/v2/?sig=" + secret, "stopped after 10 redirects"},
		{"https://[half/v2/?sig=" + secret, "no valid Location"},
	} {
		net, got := noted(func(*http.Request) (int, http.Header, string) { return redirect(307, c.to) })
		r := client(t, registry.Options{Transport: net, Keychain: baker, Retries: -1}).Repository(repoName(t, "registry.test/team/app"))
		_, _, err := r.Manifest(t.Context(), "v1")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: got %v, want %q", c.to, err, c.want)
		}
		for _, url := range got() {
			if !strings.HasPrefix(url, "https://registry.test/v2/") {
				t.Errorf("%s: sent %s", c.to, url)
			}
		}
	}
}

// Another host's challenge names nobody who gets the registry's password.
func TestPingChallengedElsewhere(t *testing.T) {
	net, got := noted(func(req *http.Request) (int, http.Header, string) {
		switch {
		case req.URL.Host == "other.test":
			return 401, http.Header{"Www-Authenticate": {`Bearer realm="https://auth.test/token",service="other"`}}, ""
		case req.URL.Path == "/v2/":
			return redirect(307, "https://other.test/v2/")
		}
		return 404, nil, ""
	})
	r := client(t, registry.Options{Transport: net, Keychain: baker, Retries: -1}).Repository(repoName(t, "registry.test/team/app"))
	if _, err := r.HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest); err != nil {
		t.Fatal(err)
	}
	for _, url := range got() {
		if strings.Contains(url, "auth.test") || strings.Contains(url, "other.test") && strings.Contains(url, " ") {
			t.Errorf("sent %s", url)
		}
	}
}

// form is an account with an identity token, which is sent to a token server
// in a form.
type form string

func (f form) Resolve(authn.Resource) (authn.Authenticator, error) {
	return authn.FromConfig(authn.AuthConfig{IdentityToken: string(f)}), nil
}

// A token server that redirects a form to another host does not make the
// client repeat it there.
func TestFormIsNotRedirected(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{"https://auth.test/other", "https://other.test/token?sig=" + secret} {
			t.Run(fmt.Sprintf("%d/%.20s", status, to), func(t *testing.T) {
				var forms sync.Map
				net, _ := noted(func(req *http.Request) (int, http.Header, string) {
					switch req.URL.Host + req.URL.Path {
					case "auth.test/token":
						return redirect(status, to)
					case "auth.test/other", "other.test/token":
						if req.ContentLength > 0 {
							forms.Store(req.URL.Host, true)
						}
						return 200, nil, `{"token":"t"}`
					case "registry.test/v2/":
						return 401, http.Header{"Www-Authenticate": {`Bearer realm="https://auth.test/token",service="s"`}}, ""
					}
					return 404, nil, ""
				})
				c := client(t, registry.Options{Transport: net, Keychain: form("IDENTITY"), Retries: 1})
				_, err := c.Repository(repoName(t, "registry.test/team/app")).HasBlob(t.Context(), descriptor(t, registry.Bytes(there)).Digest)
				refused := status >= 307 && strings.Contains(to, "other.test")
				if (err != nil) != refused || err != nil && (strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "another host")) {
					t.Errorf("got %v", err)
				}
				if _, sent := forms.Load("other.test"); sent {
					t.Error("the form went to the other host")
				}
				if _, sent := forms.Load("auth.test"); sent != (status >= 307 && !refused) {
					t.Errorf("the form repeated at its host: %v", sent)
				}
				if refused && c.Requests() != 2 {
					t.Errorf("%d requests", c.Requests())
				}
			})
		}
	}
}
