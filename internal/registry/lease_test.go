// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// minter is a registry with a token server. Its tokens are good for a minute,
// and said to be good for expires seconds.
type minter struct {
	expires string
	broken  bool // issues no more tokens
	minted  []time.Time
	bodies  []string // status and length of what was uploaded
}

func (m *minter) answer(req *http.Request) (int, http.Header, string) {
	switch {
	case req.URL.Host == "auth.test" && m.broken:
		return 403, nil, ""
	case req.URL.Host == "auth.test":
		m.minted = append(m.minted, time.Now())
		return 200, nil, fmt.Sprintf(`{"token":"t%d"%s}`, len(m.minted), m.expires)
	case req.Header.Get("Authorization") == "":
		return 401, http.Header{"Www-Authenticate": {`Bearer realm="https://auth.test/token",service="s"`}}, ""
	}
	status := 201
	if last := len(m.minted) - 1; time.Since(m.minted[last]) > time.Minute {
		status = 401
	}
	if req.Method == "POST" && status == 201 {
		return 202, http.Header{"Location": {"/upload"}}, ""
	}
	if req.Method == "PUT" {
		m.bodies = append(m.bodies, fmt.Sprint(status, " ", req.ContentLength))
	}
	if status == 401 {
		return status, http.Header{"Www-Authenticate": {`Bearer realm="https://auth.test/token",service="s"`}}, ""
	}
	return status, nil, ""
}

// No body is sent with a token that may run out on its way.
func TestTokenIsRenewedBeforeBodies(t *testing.T) {
	for _, c := range []struct {
		name, expires string
		broken        bool
		minted        int
		waits         []time.Duration // before uploads
		bodies        []string
	}{
		{"young", `,"expires_in":60`, false, 1, []time.Duration{0, 20 * time.Second}, []string{"201 102400", "201 102400"}},
		{"old", `,"expires_in":60`, false, 2, []time.Duration{0, 59 * time.Second, 20 * time.Second}, []string{"201 102400", "201 102400", "201 102400"}},
		{"of unknown age", ``, false, 2, []time.Duration{0, 31 * time.Second}, []string{"201 102400", "201 102400"}},
		{"not renewed", `,"expires_in":60`, true, 1, []time.Duration{0, 40 * time.Second}, []string{"201 102400", "201 102400"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := &minter{expires: c.expires}
				net, _ := noted(m.answer)
				repo := repository(t, client(t, registry.Options{Transport: net, Keychain: baker, Retries: -1}), inMemory+"team/app")
				for i, wait := range c.waits {
					time.Sleep(wait)
					m.broken = c.broken && i > 0
					if err := repo.Upload(t.Context(), registry.Bytes(sized(100<<10, byte(i)))); err != nil {
						t.Fatal(err)
					}
				}
				if len(m.minted) != c.minted {
					t.Errorf("%d tokens, want %d", len(m.minted), c.minted)
				}
				if diff := cmp.Diff(c.bodies, m.bodies); diff != "" {
					t.Errorf("bodies (-want +got):\n%s", diff)
				}
			})
		})
	}
}

// A manifest is in memory, and goes where and as often as it is asked for: also
// to another address, without credentials, but to no private one.
func TestManifestIsSentAgain(t *testing.T) {
	for _, c := range []struct{ to, want string }{
		{"https://registry.test/moved", ""},
		{"https://other.test/moved", ""},
		{"https://10.0.0.7/moved", "private address"},
	} {
		for _, status := range []int{307, 308} {
			var bodies []string
			moved := wire(func(req *http.Request) (int, http.Header, string) {
				challenge := http.Header{"Www-Authenticate": {`Bearer realm="https://auth.test/token",service="s"`}}
				switch {
				case req.URL.Host == "auth.test":
					return 200, nil, `{"token":"t"}`
				case req.URL.Path == "/v2/":
					return 401, challenge, ""
				case len(bodies) == 1, len(bodies) == 3 && req.URL.Host == "registry.test":
					return 401, challenge, ""
				case req.URL.Path == "/moved":
					return 201, nil, ""
				}
				return redirect(status, c.to)
			})
			cl := client(t, registry.Options{Transport: recording{moved, func(req *http.Request, body []byte) {
				if len(body) > 0 {
					bodies = append(bodies, strings.TrimSpace(req.URL.Host+req.URL.Path+" "+req.Header.Get("Authorization")))
					if !bytes.Equal(body, manifest) {
						t.Errorf("%s: sent %d bytes", req.URL, len(body))
					}
				}
			}}, Keychain: baker, Retries: -1})
			err := repository(t, cl, "registry.test/team/app").PutManifest(t.Context(), "v1", types.OCIImageIndex, manifest)
			if (err != nil) != (c.want != "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%d to %s: %v", status, c.to, err)
			}
			at := "registry.test/v2/team/app/manifests/v1 Bearer t"
			want := []string{at, at}
			switch {
			case strings.Contains(c.to, "other.test"):
				want = append(want, "other.test/moved")
			case c.want == "":
				want = append(want, "registry.test/moved Bearer t", "registry.test/moved Bearer t")
			}
			if !slices.Equal(want, bodies) {
				t.Errorf("%d to %s: bodies went to %q, want %q", status, c.to, bodies, want)
			}
		}
	}
}

// recording shows each request's body before it is sent.
type recording struct {
	inner http.RoundTripper
	see   func(*http.Request, []byte)
}

func (r recording) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	r.see(req, body)
	return r.inner.RoundTrip(req)
}
