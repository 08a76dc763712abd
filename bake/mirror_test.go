// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// perHost has a password for each registry, HOST:PORT.
type perHost map[string]string

func (p perHost) Resolve(target authn.Resource) (authn.Authenticator, error) {
	if password := p[target.RegistryStr()]; password != "" {
		return &authn.Basic{Username: "robot", Password: password}, nil
	}
	return authn.Anonymous, nil
}

// onlyRobot lets a user with a password do everything, by tokens.
func onlyRobot(password string) *registrytest.Auth {
	all := []registrytest.Right{{Repos: "*", Actions: []string{"pull", "push"}}}
	return &registrytest.Auth{
		Users:  map[string]registrytest.User{"robot": {Password: password, Rights: all}},
		Bearer: &registrytest.Bearer{},
	}
}

// TestMirror bakes on a base whose registry has a mirror of some kind.
func TestMirror(t *testing.T) {
	faults := func(method, path string, f registrytest.Fault) registrytest.Options {
		return registrytest.Options{Faults: registrytest.First(1000, method, path, f)}
	}
	cut := registrytest.Options{Faults: func(_ int, r *http.Request) registrytest.Fault {
		switch {
		case !strings.Contains(r.URL.Path, "/blobs/"):
			return registrytest.Fault{}
		case r.Header.Get("Range") != "": // the rest
			return registrytest.Fault{Status: http.StatusBadGateway}
		}
		return registrytest.Fault{CutResponse: 50}
	}}
	for _, c := range []struct {
		name   string
		mirror registrytest.Options
		lacks  bool   // nothing is in the mirror
		origin bool   // the registry itself is asked
		log    string // that people read, where anything is said
		err    error
	}{
		{name: "has it"},
		{name: "lacks it", lacks: true, origin: true},
		{name: "fails", mirror: faults("", "*", registrytest.Fault{Status: 503}), origin: true, log: "503 Service Unavailable"},
		{name: "refuses", mirror: registrytest.Options{Auth: onlyRobot("another one")}, origin: true, log: "401 Unauthorized"},
		{name: "limits the rate of blobs", mirror: faults("GET", "*/blobs/*", registrytest.Fault{Status: 429}), origin: true, log: "429 Too Many Requests"},
		{name: "asks to wait", mirror: faults("GET", "*/blobs/*", registrytest.Fault{Status: 503, Header: http.Header{"Retry-After": {"20"}}}), origin: true, log: "asks to wait 20s"},
		{name: "breaks off", mirror: cut, origin: true, log: "502 Bad Gateway"},
		{name: "lies about a manifest", mirror: faults("GET", "*/manifests/*", registrytest.Fault{Corrupt: true}), err: bake.ErrIntegrity},
		{name: "lies about a blob", mirror: faults("GET", "*/blobs/*", registrytest.Fault{Corrupt: true}), err: bake.ErrIntegrity},
	} {
		t.Run(c.name, func(t *testing.T) {
			img := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3})
			origin := startWith(t, registrytest.Options{}, img)
			mirror := registrytest.Start(t, c.mirror)
			if !c.lacks && c.mirror.Auth == nil {
				mirror.Push(t, "hub/team/base:1", img)
			}
			dest := registrytest.Start(t, registrytest.Options{})
			origin.Reset()
			mirror.Reset()
			var log bytes.Buffer
			remote := bake.NewRemote(bake.RemoteOptions{
				Mirrors: map[string][]string{origin.Host: {mirror.Host + "/hub"}},
				Logger:  slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})),
			})
			report, err := bake.Bake(t.Context(), scorer(origin.Host+"/team/base:1", dest.Host+"/team/scorer:1"), remote, bake.Options{})
			if !errors.Is(err, c.err) || c.err != nil && !strings.Contains(err.Error(), "mirror "+mirror.Host+"/hub: ") {
				t.Fatalf("got %v, want %v about the mirror", err, c.err)
			}
			if n := origin.Count("", "/v2/team/base/*"); (n > 0) != c.origin {
				t.Errorf("the registry itself was sent %d requests", n)
			}
			if mirror.Count("", "*") == 0 {
				t.Error("the mirror was not asked")
			}
			if n := strings.Count(log.String(), "not read from the mirror"); c.log != "" && (n != 1 || !strings.Contains(log.String(), c.log)) || c.log == "" && n > 0 {
				t.Errorf("the log, which should name %q once:\n%s", c.log, &log)
			}
			if c.err != nil {
				return
			}
			if report.Base.Name != origin.Host+"/team/base:1" {
				t.Errorf("the base is called %s", report.Base.Name)
			}
			validImage(t, pullImage(t, dest.Host+"/team/scorer:1"))
		})
	}
}

// TestMirrorTag takes a mirror's word for what a tag stands for, and not for a
// digest.
func TestMirrorTag(t *testing.T) {
	one := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 1})
	two := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 2})
	origin, mirror := startWith(t, registrytest.Options{}, one), startWith(t, registrytest.Options{}, two)
	remote := bake.NewRemote(bake.RemoteOptions{Mirrors: map[string][]string{origin.Host: {mirror.Host}}})
	for ref, want := range map[string]v1.Image{
		":1": two,
		"@" + must[v1.Hash](t)(one.Digest()).String(): one, // which only the registry has
	} {
		base, err := bake.Open(t.Context(), origin.Host+"/team/base"+ref, remote)
		if err != nil {
			t.Fatal(err)
		}
		defer base.Close()
		if got := base.Descriptor().Digest; got != must[v1.Hash](t)(want.Digest()) {
			t.Errorf("%s is %s", ref, got)
		}
	}
}

// TestMirrorMounts wants layers mounted wherever the destination's registry may
// have them, be it the mirror or the registry itself.
func TestMirrorMounts(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3})
	origin, mirror := startWith(t, registrytest.Options{}, img), startWith(t, registrytest.Options{}, img)
	elsewhere := registrytest.Start(t, registrytest.Options{})
	mirrors := map[string][]string{origin.Host: {mirror.Host}}
	for _, c := range []struct {
		dest   string
		copied bool
	}{{mirror.Host + "/team/scorer:1", false}, {origin.Host + "/team/scorer:1", false}, {elsewhere.Host + "/team/scorer:1", true}} {
		remote := bake.NewRemote(bake.RemoteOptions{Mirrors: mirrors})
		plan, err := bake.NewPlan(t.Context(), scorer(origin.Host+"/team/base:1", c.dest))
		if err != nil {
			t.Fatal(err)
		}
		dry, err := plan.DryRun(t.Context(), remote)
		if err != nil {
			t.Fatal(err)
		}
		report, err := plan.Bake(t.Context(), bake.NewRemote(bake.RemoteOptions{Mirrors: mirrors}), bake.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for what, got := range map[string]bake.Transfer{"foreseen": dry.Transfer, "done": report.Transfer} {
			if (got.CopiedBytes > 0) != c.copied || (got.MountedBytes > 0) == c.copied {
				t.Errorf("%s: %s: %+v", c.dest, what, got)
			}
		}
		validImage(t, pullImage(t, c.dest))
	}
}

// TestMirrorOwnRepository publishes into the base's own repository, which lacks
// what its mirror has.
func TestMirrorOwnRepository(t *testing.T) {
	mirror := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 3}))
	origin := registrytest.Start(t, registrytest.Options{})
	remote := bake.NewRemote(bake.RemoteOptions{Mirrors: map[string][]string{origin.Host: {mirror.Host}}})
	spec := scorer(origin.Host+"/team/base:1", origin.Host+"/team/base:baked")
	if _, err := bake.Bake(t.Context(), spec, remote, bake.Options{}); err != nil {
		t.Fatal(err)
	}
	validImage(t, pullImage(t, origin.Host+"/team/base:baked"))
}

// TestMirrorCredentials sends each registry its own credentials alone.
func TestMirrorCredentials(t *testing.T) {
	img := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 2})
	origin := registrytest.Start(t, registrytest.Options{Auth: onlyRobot("of the registry")})
	mirror := registrytest.Start(t, registrytest.Options{Auth: onlyRobot("of the mirror")})
	passwords := perHost{origin.Host: "of the registry", mirror.Host: "of the mirror"}
	pushAs(t, mirror.Host+"/team/base:1", img, passwords)
	pushAs(t, origin.Host+"/team/base:2", img, passwords)
	mirrors := map[string][]string{origin.Host: {mirror.Host}}
	for _, c := range []struct {
		name, tag string
		keys      perHost
	}{
		{"both", "1", passwords},
		{"of the registry alone", "2", perHost{origin.Host: "of the registry"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			mirror.Reset()
			origin.Reset()
			remote := bake.NewRemote(bake.RemoteOptions{Keychain: c.keys, Mirrors: mirrors})
			spec := scorer(origin.Host+"/team/base:"+c.tag, "oci:"+t.TempDir()+":1")
			if _, err := bake.Bake(t.Context(), spec, remote, bake.Options{}); err != nil {
				t.Fatal(err)
			}
			for host, sent := range map[string][]registrytest.Request{mirror.Host: mirror.Requests(), origin.Host: origin.Requests()} {
				for _, r := range sent {
					req := http.Request{Header: r.Header}
					if _, password, ok := req.BasicAuth(); ok && password != passwords[host] {
						t.Errorf("%s got the password %q", host, password)
					}
				}
			}
		})
	}
}

func TestMirrorRefused(t *testing.T) {
	for _, at := range []string{"", "https://mirror.example.com", "mirror.example.com:", "/hub", "mirror.example.com/Hub", "mirror.example.com:5000/hub:tag"} {
		remote := bake.NewRemote(bake.RemoteOptions{Mirrors: map[string][]string{"docker.io": {at}}})
		if _, err := bake.Open(t.Context(), "fastscore/engine:1", remote); !errors.Is(err, bake.ErrUsage) {
			t.Errorf("%q: %v", at, err)
		}
	}
}
