// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// pushAs is push with a name and password.
func pushAs(t testing.TB, ref, account string, img remote.Taggable) {
	t.Helper()
	if err := remote.Push(parse(t, ref), img, remote.WithContext(t.Context()), as(account)); err != nil {
		t.Fatalf("pushing %s: %v", ref, err)
	}
}

func as(account string) remote.Option {
	user, password, _ := strings.Cut(account, ":")
	return remote.WithAuth(&authn.Basic{Username: user, Password: password})
}

// scopesOf is the sets of scopes that tokens were asked for, each once, and each
// only by one of the accounts.
func scopesOf(t testing.TB, requests []asked, accounts ...string) []string {
	t.Helper()
	var sets []string
	for _, r := range requests {
		if !slices.Contains(accounts, r.user) {
			t.Errorf("%q asks for %v", r.user, r.scopes)
		}
		set := slices.Clone(r.scopes)
		for i := range set {
			set[i] = strings.Replace(strings.TrimPrefix(set[i], "repository:"), "push,pull", "pull,push", 1)
		}
		slices.Sort(set)
		sets = append(sets, strings.Join(slices.Compact(set), " "))
	}
	slices.Sort(sets)
	return slices.Compact(sets)
}

// TestTokens bakes within a registry whose tokens are good for what they were
// asked for: pulling the base, pushing to the destination, and both to mount.
func TestTokens(t *testing.T) {
	t.Parallel()
	v := &vault{}
	host, tokens := startTokenRegistry(t, v)
	admin, baker := v.account("admin", "swordfish of the admin"), v.account("baker", "swordfish of the baker")
	tokens.allow(admin, "*/*", "pull,push")
	tokens.allow(baker, "base/*", "pull")
	tokens.allow(baker, "team/*", "pull,push")
	pushAs(t, host+"/base/engine:v1", admin, registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3}))
	tokens.requests()
	auth := v.authFile(t, map[string]string{host: baker})

	r := v.bake(t, nil, host+"/base/engine:v1", host+"/team/scorer:v1", "--authfile", auth)
	if r.Transfer["mountedBytes"] == 0 || r.Transfer["copiedBytes"] != 0 {
		t.Errorf("moved %v, want the base mounted", r.Transfer)
	}
	want := []string{"base/engine:pull", "base/engine:pull team/scorer:pull,push", "team/scorer:pull,push"}
	if got := scopesOf(t, tokens.requests(), baker); !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
	fromRegistry(t, host+"/team/scorer:v1", as(baker)).validate(t)

	// What the account may not do.
	flags := []string{"--authfile", auth}
	v.refuse(t, 4, nil, host+"/base/engine:v1", host+"/prod/scorer:v1", flags, "destination "+host+"/prod/scorer")
	v.refuse(t, 4, nil, host+"/prod/engine:v1", host+"/team/scorer:v1", flags, "base "+host+"/prod/engine")
	v.refuse(t, 4, nil, host+"/base/engine:v1", host+"/team/scorer:v1", nil, "401 Unauthorized: unauthorized: who are you?", "log in (docker login")
	wrong := v.authFile(t, map[string]string{host: v.account("baker", "not the swordfish")})
	v.refuse(t, 4, nil, host+"/base/engine:v1", host+"/team/scorer:v1", []string{"--authfile", wrong}, "401 Unauthorized: unauthorized: who are you?")
}

// TestTokensPerPath has an account for the base and another one for the
// destination, which may not read the base: its layers are sent, not mounted.
func TestTokensPerPath(t *testing.T) {
	t.Parallel()
	v := &vault{}
	host, tokens := startTokenRegistry(t, v)
	reader, writer := v.account("reader", "horse of the reader"), v.account("writer", "horse of the writer")
	tokens.allow(reader, "base/*", "pull,push")
	tokens.allow(writer, "team/*", "pull,push")
	pushAs(t, host+"/base/engine:v1", reader, registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3}))
	tokens.requests()
	auth := v.authFile(t, map[string]string{host + "/base": reader, host + "/team": writer})

	r := v.bake(t, nil, host+"/base/engine:v1", host+"/team/scorer:v1", "--authfile", auth)
	if r.Transfer["mountedBytes"] != 0 || r.Transfer["copiedBytes"] == 0 {
		t.Errorf("moved %v, want the base copied", r.Transfer)
	}
	fromRegistry(t, host+"/team/scorer:v1", as(writer)).validate(t)
	var read, written []asked
	for _, r := range tokens.requests() {
		if r.user == reader {
			read = append(read, r)
		} else {
			written = append(written, r)
		}
	}
	if got, want := scopesOf(t, read, reader), []string{"base/engine:pull"}; !slices.Equal(got, want) {
		t.Errorf("the reader asked for %q", got)
	}
	for _, set := range scopesOf(t, written, writer) {
		// The mount is the destination's, and so is the account that asks for it.
		if !strings.HasSuffix(set, "team/scorer:pull") && !strings.HasSuffix(set, "team/scorer:pull,push") {
			t.Errorf("the writer asked for %q", set)
		}
	}
	// A repository of neither is asked for by nobody.
	v.refuse(t, 4, nil, host+"/other/engine:v1", host+"/team/scorer:v1", []string{"--authfile", auth}, "401 Unauthorized")
	for _, r := range tokens.requests() {
		if slices.ContainsFunc(r.scopes, func(s string) bool { return strings.Contains(s, "other/") }) && r.user != "" {
			t.Errorf("%q asked for %v", r.user, r.scopes)
		}
	}
}

// TestTokensPerSide promotes between registries with an account for each.
func TestTokensPerSide(t *testing.T) {
	t.Parallel()
	v := &vault{}
	here, hereTokens := startTokenRegistry(t, v)
	there, thereTokens := startTokenRegistry(t, v)
	dev, prod := v.account("dev", "battery of dev"), v.account("prod", "battery of prod")
	hereTokens.allow(dev, "dev/*", "pull,push")
	thereTokens.allow(prod, "prod/*", "pull,push")
	img := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 2})
	pushAs(t, here+"/dev/scorer:v1", dev, img)
	hereTokens.requests()
	auth := v.authFile(t, map[string]string{here: dev, there: prod})

	o := v.run(t, nil, "", "promote", "--authfile", auth, here+"/dev/scorer:v1", there+"/prod/scorer:v1")
	if o.code != 0 {
		t.Fatalf("exit code %d\n%s", o.code, o.stderr)
	}
	if got, want := scopesOf(t, hereTokens.requests(), dev), []string{"dev/scorer:pull"}; !slices.Equal(got, want) {
		t.Errorf("of the source, tokens for %q", got)
	}
	for _, set := range scopesOf(t, thereTokens.requests(), prod) {
		if set != "prod/scorer:pull" && set != "prod/scorer:pull,push" {
			t.Errorf("of the destination, a token for %q", set)
		}
	}
	fromRegistry(t, there+"/prod/scorer:v1", as(prod)).validate(t)
}

// TestLogin logs in to a registry with tokens, bakes with what was kept, and
// logs out.
func TestLogin(t *testing.T) {
	t.Parallel()
	v := &vault{}
	host, tokens := startTokenRegistry(t, v)
	baker := v.account("baker", "lantern of the baker")
	tokens.allow(baker, "team/*", "pull,push")
	auth := filepath.Join(t.TempDir(), "new", "auth.json")
	vars := []string{"REGISTRY_AUTH_FILE=" + auth}
	login := []string{"login", host + "/team", "-u", "baker", "--password-stdin"}
	for _, c := range []struct {
		password string
		code     int
		text     string
	}{
		{"not the lantern\n", 4, "check the name and the password"},
		{"lantern of the baker\n", 0, "the password is kept in " + auth},
	} {
		v.keep(strings.TrimSpace(c.password))
		if o := v.run(t, vars, c.password, login...); o.code != c.code || !strings.Contains(o.stderr, c.text) {
			t.Fatalf("exit code %d, want %d with %q\n%s", o.code, c.code, c.text, o.stderr)
		}
		info, err := os.Stat(auth)
		if written := err == nil; written != (c.code == 0) || written && info.Mode().Perm() != 0o600 {
			t.Errorf("the file: %v, %v", info, err)
		}
	}
	base := baseLayout(t)
	v.bake(t, vars, base, host+"/team/scorer:v1")
	v.refuse(t, 4, vars, base, host+"/other/scorer:v1", nil, "401 Unauthorized")

	cmd := command(t, craneBake, "logout", host+"/team")
	cmd.Env = append(cmd.Env, vars...)
	output(t, cmd)
	v.refuse(t, 4, vars, base, host+"/team/scorer:v2", nil, "401 Unauthorized")
}
