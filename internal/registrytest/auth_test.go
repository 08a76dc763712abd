// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest_test

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

var users = map[string]registrytest.User{
	"pusher": {Password: "secret", Rights: []registrytest.Right{
		{Repos: "team/*", Actions: []string{"pull", "push"}},
		{Repos: "base/*", Actions: []string{"pull"}},
	}},
}

var pusher = remote.WithAuth(&authn.Basic{Username: "pusher", Password: "secret"})

// The same rights hold with passwords and with tokens.
func TestAuthRights(t *testing.T) {
	for name, bearer := range map[string]*registrytest.Bearer{"basic": nil, "bearer": {}} {
		t.Run(name, func(t *testing.T) {
			s := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{Users: users, Bearer: bearer}})
			img := registrytest.BaseImage(t, registrytest.ImageOptions{})
			for _, repo := range []string{"base/engine:1", "secret/engine:1"} {
				s.Push(t, repo, img)
			}
			if err := remote.Write(s.Ref(t, "team/image:v1"), img, pusher); err != nil {
				t.Error(err)
			}
			if _, err := remote.Get(s.Ref(t, "base/engine:1"), pusher); err != nil {
				t.Error(err)
			}
			deny := map[bool]int{true: 401, false: 403}[bearer != nil]
			if status, _ := refused(t, remote.Write(s.Ref(t, "base/engine:2"), img, pusher)); status != deny {
				t.Errorf("push without the right: %d, want %d", status, deny)
			}
			_, err := remote.Get(s.Ref(t, "secret/engine:1"), pusher)
			if status, _ := refused(t, err); status != deny {
				t.Errorf("pull without the right: %d, want %d", status, deny)
			}
			_, err = remote.Get(s.Ref(t, "base/engine:1"), remote.WithAuth(&authn.Basic{Username: "pusher", Password: "wrong"}))
			if status, _ := refused(t, err); status != 401 {
				t.Errorf("wrong password: %d, want 401", status)
			}
			_, err = remote.Get(s.Ref(t, "base/engine:1"))
			if status, _ := refused(t, err); status != 401 {
				t.Errorf("no password: %d, want 401", status)
			}
		})
	}
}

func TestAuthAnonymous(t *testing.T) {
	for name, bearer := range map[string]*registrytest.Bearer{"basic": nil, "bearer": {}} {
		t.Run(name, func(t *testing.T) {
			s := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{
				Users: users, Bearer: bearer, Anonymous: []registrytest.Right{{Repos: "base/*", Actions: []string{"pull"}}},
			}})
			img := registrytest.BaseImage(t, registrytest.ImageOptions{})
			s.Push(t, "base/engine:1", img)
			if _, err := remote.Get(s.Ref(t, "base/engine:1")); err != nil {
				t.Error(err)
			}
			if err := remote.Write(s.Ref(t, "base/engine:2"), img); err == nil {
				t.Error("anybody may push")
			}
		})
	}
}

// token fetches a token of the pusher's for the scopes.
func token(t *testing.T, s *registrytest.Server, status int, scopes ...string) string {
	t.Helper()
	q := url.Values{"service": {"registrytest"}, "scope": scopes}
	header := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("pusher:secret"))
	a := want(t, status, s, "GET", "/token?"+q.Encode(), "", header)
	if status != 200 {
		return ""
	}
	var got struct{ Token string }
	if err := json.Unmarshal([]byte(a.body), &got); err != nil || got.Token == "" {
		t.Fatalf("token %s: %v", a.body, err)
	}
	return "Authorization: Bearer " + got.Token
}

const (
	pushTeam = "repository:team/image:pull,push"
	pullBase = "repository:base/engine:pull"
	pullElse = "repository:secret/engine:pull"
)

// What a token server makes of a request for several scopes.
func TestTokenScopes(t *testing.T) {
	begin := "/v2/team/image/blobs/uploads/"
	mount := begin + "?from=base/engine&mount=" + sha(data)
	tests := []struct {
		name        string
		bearer      registrytest.Bearer
		scopes      []string
		token       int // status
		push, mount int
	}{
		{"one scope", registrytest.Bearer{}, []string{pushTeam}, 200, 202, 401},
		{"two scopes", registrytest.Bearer{}, []string{pushTeam, pullBase}, 200, 202, 201},
		{"two scopes in one", registrytest.Bearer{}, []string{pushTeam + " " + pullBase}, 200, 202, 201},
		{"a subset", registrytest.Bearer{}, []string{pushTeam, pullElse}, 200, 202, 401},
		{"only the first", registrytest.Bearer{FirstScope: true}, []string{pushTeam, pullBase}, 200, 202, 401},
		{"combined with 401", registrytest.Bearer{Combined: 401}, []string{pushTeam, pullBase}, 401, 0, 0},
		{"combined with 403", registrytest.Bearer{Combined: 403}, []string{pushTeam + " " + pullBase}, 403, 0, 0},
		{"combined but one", registrytest.Bearer{Combined: 403}, []string{pushTeam}, 200, 202, 401},
		{"strict", registrytest.Bearer{Strict: 403}, []string{pushTeam, pullElse}, 403, 0, 0},
		{"strict but allowed", registrytest.Bearer{Strict: 403}, []string{pushTeam, pullBase}, 200, 202, 201},
		{"no scope", registrytest.Bearer{}, nil, 200, 401, 401},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{Users: users, Bearer: &tt.bearer}})
			s.PushBlob(t, "base/engine", data)
			header := token(t, s, tt.token, tt.scopes...)
			if header == "" {
				return
			}
			want(t, 200, s, "GET", "/v2/", "", header)
			want(t, tt.push, s, "POST", begin, "", header)
			want(t, tt.mount, s, "POST", mount, "", header)
		})
	}
}

func TestMountRefusal(t *testing.T) {
	mount := "/v2/team/image/blobs/uploads/?from=secret/engine&mount=" + sha(data)
	challenge := `scope="repository:team/image:pull,push repository:secret/engine:pull",error="insufficient_scope"`
	for refusal, status := range map[int]int{0: 401, 401: 401, 403: 403, 404: 404, 202: 202} {
		s := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{
			Users: users, Bearer: &registrytest.Bearer{}, MountRefusal: refusal,
		}})
		s.PushBlob(t, "secret/engine", data)
		header := token(t, s, 200, pushTeam, pullElse)
		a := want(t, status, s, "POST", mount, "", header)
		if got := a.header.Get("Www-Authenticate"); strings.Contains(got, challenge) != (status == 401) {
			t.Errorf("status %d with the challenge %q", status, got)
		}
		want(t, 202, s, "POST", "/v2/team/image/blobs/uploads/", "", header)
	}
}

// A token that was good ends, and a client that fetches another goes on.
func TestTokenExpiry(t *testing.T) {
	t.Run("uses", func(t *testing.T) {
		s := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{Users: users, Bearer: &registrytest.Bearer{Uses: 2}}})
		header := token(t, s, 200, pushTeam)
		var got []int
		for range 4 {
			a, err := ask(t, s, "GET", "/v2/", "", header)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, a.status)
		}
		if diff := cmp.Diff([]int{200, 200, 401, 401}, got); diff != "" {
			t.Errorf("statuses (-want +got):\n%s", diff)
		}
		s.Push(t, "team/image:v1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
		puller, err := remote.NewPuller(pusher)
		if err != nil {
			t.Fatal(err)
		}
		s.Reset()
		for range 4 { // one at a time: others would use up the token that one has fetched
			if _, err := puller.Head(t.Context(), s.Ref(t, "team/image:v1")); err != nil {
				t.Fatal(err)
			}
		}
		if n := s.Count("GET", "/token"); n != 2 {
			t.Errorf("the client fetched %d tokens for 4 requests, want 2", n)
		}
	})
	t.Run("lifetime", func(t *testing.T) {
		s := registrytest.Start(t, registrytest.Options{Auth: &registrytest.Auth{
			Users: users, Bearer: &registrytest.Bearer{Lifetime: time.Nanosecond},
		}})
		want(t, 401, s, "GET", "/v2/", "", token(t, s, 200, pushTeam))
		img := registrytest.BaseImage(t, registrytest.ImageOptions{})
		if status, _ := refused(t, remote.Write(s.Ref(t, "team/image:v1"), img, pusher)); status != 401 {
			t.Errorf("push with tokens that are out of date: %d, want 401", status)
		}
	})
}
