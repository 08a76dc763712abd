// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
)

// keychain has one name and password for every registry.
type keychain struct{ user, password string }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: k.user, Password: k.password}, nil
}

var baker = keychain{"baker", "secret"}

// rights is an Auth that knows only the baker, who may push to team/* and what
// else is given.
func rights(b *registrytest.Bearer, refusal int, more ...registrytest.Right) *registrytest.Auth {
	own := registrytest.Right{Repos: "team/*", Actions: []string{"pull", "push"}}
	return &registrytest.Auth{
		Users:        map[string]registrytest.User{baker.user: {Password: baker.password, Rights: append(more, own)}},
		Bearer:       b,
		MountRefusal: refusal,
	}
}

// A mount that is refused, for whatever reason and by whomever, is no error: the
// blob is then uploaded with the scope of the destination alone.
func TestMount(t *testing.T) {
	mayRead := registrytest.Right{Repos: "base/*", Actions: []string{"pull"}}
	refuse := func(status int) func(int, *http.Request) registrytest.Fault {
		return func(_ int, r *http.Request) registrytest.Fault {
			if r.URL.Query().Has("mount") {
				return registrytest.Fault{Status: status}
			}
			return registrytest.Fault{}
		}
	}
	for _, test := range []struct {
		name    string
		opts    registrytest.Options
		mounted bool
	}{
		{"open registry", registrytest.Options{}, true},
		{"basic", registrytest.Options{Auth: rights(nil, 0, mayRead)}, true},
		{"bearer", registrytest.Options{Auth: rights(&registrytest.Bearer{}, 0, mayRead)}, true},
		{"strict bearer", registrytest.Options{Auth: rights(&registrytest.Bearer{Strict: 401}, 0, mayRead)}, true},
		{"answered 202", registrytest.Options{Options: regserver.Options{NoMount: true}}, false},
		{"answered 401", registrytest.Options{Faults: refuse(401)}, false},
		{"answered 403", registrytest.Options{Faults: refuse(403)}, false},
		{"answered 404", registrytest.Options{Faults: refuse(404)}, false},
		{"answered 405", registrytest.Options{Faults: refuse(405)}, false},
		{"basic, source denied with 403", registrytest.Options{Auth: rights(nil, 0)}, false},
		{"basic, source denied with 401", registrytest.Options{Auth: rights(nil, 401)}, false},
		{"source denied with 202", registrytest.Options{Auth: rights(&registrytest.Bearer{}, 202)}, false},
		{"source denied with 401", registrytest.Options{Auth: rights(&registrytest.Bearer{}, 401)}, false},
		{"source denied with 403", registrytest.Options{Auth: rights(&registrytest.Bearer{}, 403)}, false},
		{"source denied with 404", registrytest.Options{Auth: rights(&registrytest.Bearer{}, 404)}, false},
		{"source left out of the token", registrytest.Options{Auth: rights(&registrytest.Bearer{}, 0)}, false},
		{"token of the first scope only", registrytest.Options{Auth: rights(&registrytest.Bearer{FirstScope: true}, 0, mayRead)}, false},
		{"no token of two scopes, 401", registrytest.Options{Auth: rights(&registrytest.Bearer{Combined: 401}, 0, mayRead)}, false},
		{"no token of two scopes, 400", registrytest.Options{Auth: rights(&registrytest.Bearer{Combined: 400}, 0, mayRead)}, false},
		{"no token of two scopes, 404", registrytest.Options{Auth: rights(&registrytest.Bearer{Combined: 404}, 0, mayRead)}, false},
		{"no token of two scopes, 403", registrytest.Options{Auth: rights(&registrytest.Bearer{Combined: 403}, 0, mayRead)}, false},
		{"no token for the source, 401", registrytest.Options{Auth: rights(&registrytest.Bearer{Strict: 401}, 0)}, false},
		{"no token for the source, 403", registrytest.Options{Auth: rights(&registrytest.Bearer{Strict: 403}, 0)}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := registrytest.Start(t, test.opts)
			base := registrytest.BaseImage(t, registrytest.ImageOptions{})
			srv.Push(t, "base/engine:v1", base)
			layers, err := base.Layers()
			if err != nil {
				t.Fatal(err)
			}
			digest, err := layers[0].Digest()
			if err != nil {
				t.Fatal(err)
			}
			from := repoName(t, srv.Host+"/base/engine")
			repo := repository(t, client(t, registry.Options{Keychain: baker}), srv.Host+"/team/app")

			mounted, err := repo.Mount(t.Context(), digest, from)
			if err != nil || mounted != test.mounted {
				t.Fatalf("mounted: %v, %v", mounted, err)
			}
			if found, err := repo.HasBlob(t.Context(), digest); err != nil || found != test.mounted {
				t.Errorf("there: %v, %v", found, err)
			}
			if err := repo.Upload(t.Context(), registry.Bytes(small)); err != nil {
				t.Errorf("uploading to the same repository: %v", err)
			}

			srv.Reset()
			again, err := repo.Mount(t.Context(), digest, from)
			if err != nil || again != test.mounted {
				t.Fatalf("mounted: %v, %v", again, err)
			}
			want := 0 // a refusal is remembered
			if test.mounted {
				want = 1
			}
			if got := srv.Count("", "*"); got != want {
				t.Errorf("%d requests for the second mount, want %d: %q", got, want, requests(srv))
			}
		})
	}
}

// A blob that is refused is not asked for again, and the source neither where
// that is what was refused, or where nothing but refusals comes of it.
func TestMountsOfOneSource(t *testing.T) {
	mayRead := registrytest.Right{Repos: "team/*", Actions: []string{"pull"}}
	answer := func(status int) registrytest.Options {
		return registrytest.Options{Faults: registrytest.First(100, "POST", uploads, registrytest.Fault{Status: status})}
	}
	for _, test := range []struct {
		name string
		opts registrytest.Options
		want int // blobs that are asked for, of 6
	}{
		{"answered 202", registrytest.Options{Options: regserver.Options{NoMount: true}}, 3},
		{"answered 404", answer(404), 3},
		{"answered 401", answer(401), 1},
		{"answered 403", answer(403), 1},
		{"answered 405", answer(405), 1},
		{"no token of two scopes", registrytest.Options{Auth: rights(&registrytest.Bearer{Combined: 403}, 0, mayRead)}, 1},
		{"no token of two scopes, 400", registrytest.Options{Auth: rights(&registrytest.Bearer{Combined: 400}, 0, mayRead)}, 1},
		{"mounted", registrytest.Options{}, 6},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := registrytest.Start(t, test.opts)
			repo := repository(t, client(t, registry.Options{Keychain: baker}), srv.Host+"/team/app")
			from := repoName(t, srv.Host+"/team/base")
			var asked []int
			for i := range 6 {
				content := sized(1000, byte(i))
				srv.PushBlob(t, "team/base", string(content))
				for range 2 {
					srv.Reset()
					mounted, err := repo.Mount(t.Context(), descriptor(t, registry.Bytes(content)).Digest, from)
					if err != nil || mounted != (test.want == 6) {
						t.Fatalf("mounted: %v, %v", mounted, err)
					}
					if srv.Count("", "*") > 0 && !slices.Contains(asked, i) {
						asked = append(asked, i)
					} else if srv.Count("", "*") > 0 && !mounted {
						t.Errorf("asked again for blob %d: %q", i, requests(srv))
					}
				}
			}
			if len(asked) != test.want {
				t.Errorf("asked for the blobs %v, want %d of them", asked, test.want)
			}
		})
	}
}

// A blob that a source lacks says nothing of the others.
func TestMountAfterMissingBlob(t *testing.T) {
	srv, repo := open(t, registrytest.Options{}, "team/app")
	srv.PushBlob(t, "team/base", string(there))
	from := repoName(t, srv.Host+"/team/base")
	for _, test := range []struct {
		data []byte
		want bool
	}{{small, false}, {large, false}, {there, true}} {
		mounted, err := repo.Mount(t.Context(), descriptor(t, registry.Bytes(test.data)).Digest, from)
		if err != nil || mounted != test.want {
			t.Errorf("mounted: %v, %v, want %v", mounted, err, test.want)
		}
	}
}

// The session that a registry opens instead of a mount is used, or else ended.
func TestMountRefusedOpensUpload(t *testing.T) {
	const mount, put, del = "POST " + uploads, "PUT " + uploads + "ID", "DELETE " + uploads + "ID"
	srv, repo := open(t, registrytest.Options{Options: regserver.Options{NoMount: true}}, "team/app")
	from := repoName(t, srv.Host+"/team/base")
	for _, data := range [][]byte{small, large} {
		if mounted, err := repo.Mount(t.Context(), descriptor(t, registry.Bytes(data)).Digest, from); mounted || err != nil {
			t.Fatalf("mounted: %v, %v", mounted, err)
		}
	}
	if err := repo.Upload(t.Context(), registry.Bytes(large)); err != nil {
		t.Fatal(err)
	}
	repo.Release(t.Context())
	if diff := cmp.Diff([]string{"GET /v2/", mount, mount, put, del}, requests(srv)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	holds(t, repo, large)
}

// A refusal is about one source: others are still tried.
func TestMountRefusalIsAboutTheSource(t *testing.T) {
	srv, repo := open(t, registrytest.Options{}, "team/app")
	srv.Push(t, "base/engine:v1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
	c := client(t, registry.Options{})
	source := repository(t, c, srv.Host+"/base/engine")
	if err := source.Upload(t.Context(), registry.Bytes(small)); err != nil {
		t.Fatal(err)
	}
	digest := descriptor(t, registry.Bytes(small)).Digest
	for _, test := range []struct {
		from string
		want bool
	}{{"base/none", false}, {"base/engine", true}} {
		mounted, err := repo.Mount(t.Context(), digest, repoName(t, srv.Host+"/"+test.from))
		if err != nil || mounted != test.want {
			t.Errorf("from %s: %v, %v", test.from, mounted, err)
		}
	}
}

func TestSameRegistry(t *testing.T) {
	a := repoName(t, "registry.test/team/app")
	for other, want := range map[string]bool{
		"registry.test/base/engine":      true,
		"registry.test:5000/base/engine": false,
		"other.test/team/app":            false,
	} {
		if got := registry.SameRegistry(a, repoName(t, other)); got != want {
			t.Errorf("%s: %v", other, got)
		}
	}
}
