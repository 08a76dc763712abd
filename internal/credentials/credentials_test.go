// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/crane-bake/crane-bake/internal/credentials"
)

// write writes a file below dir.
func write(t *testing.T, content string, elem ...string) string {
	t.Helper()
	file := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o666); err != nil {
		t.Fatal(err)
	}
	return file
}

// auths is an auth file with USER:secret under each key, KEY=USER.
func auths(entries ...string) string {
	var parts []string
	for _, e := range entries {
		key, user, _ := strings.Cut(e, "=")
		auth := base64.StdEncoding.EncodeToString([]byte(user + ":secret"))
		if user == "" {
			auth = ""
		}
		parts = append(parts, fmt.Sprintf("%q: {\"auth\": %q}", key, auth))
	}
	return "{\"auths\": {" + strings.Join(parts, ", ") + "}}"
}

func newKeychain(t *testing.T, places credentials.Places) *credentials.Keychain {
	t.Helper()
	k, err := credentials.New(places)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// resource is a repository, or where there is no path a registry.
func resource(t *testing.T, s string) authn.Resource {
	t.Helper()
	if !strings.Contains(s, "/") {
		r, err := name.NewRegistry(s)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r, err := name.NewRepository(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// user is whom k knows for a resource: USER, or "" for nobody.
func user(t *testing.T, k *credentials.Keychain, s string) string {
	t.Helper()
	a, err := k.ResolveContext(t.Context(), resource(t, s))
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Authorization()
	if err != nil {
		t.Fatal(err)
	}
	if c.Username != "" && c.Password != "secret" {
		t.Errorf("%s has the password %q", c.Username, c.Password)
	}
	return c.Username
}

func variables(pairs ...string) func(string) (string, bool) {
	return func(key string) (string, bool) {
		for _, p := range pairs {
			if v, ok := strings.CutPrefix(p, key+"="); ok {
				return v, true
			}
		}
		return "", false
	}
}

// TestOrder takes the place that answered away, until nobody answers.
func TestOrder(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	content := func(user string) string { return auths("reg.example.com=" + user) }
	inVariable := "DOCKER_AUTH_CONFIG=" + content("variable")
	podman := "REGISTRY_AUTH_FILE=" + write(t, content("podman"), dir, "podman.json")
	write(t, content("docker"), dir, "docker", "config.json")
	docker := "DOCKER_CONFIG=" + filepath.Join(dir, "docker")
	write(t, content("runtime"), dir, "run", "containers", "auth.json")
	runtime := "XDG_RUNTIME_DIR=" + filepath.Join(dir, "run")
	write(t, content("config"), dir, "config", "containers", "auth.json")
	config := "XDG_CONFIG_HOME=" + filepath.Join(dir, "config")
	write(t, content("home"), home, ".config", "containers", "auth.json")
	write(t, content("usual"), home, ".docker", "config.json")
	absent := "XDG_CONFIG_HOME=" + filepath.Join(dir, "absent")

	for _, c := range []struct {
		name   string
		places credentials.Places
		want   string
	}{
		{"--authfile", credentials.Places{AuthFile: write(t, content("flag"), dir, "flag.json"), LookupEnv: variables(podman, docker, inVariable), Home: home}, "flag"},
		{"--authfile is searched alone", credentials.Places{AuthFile: write(t, auths(), dir, "none.json"), LookupEnv: variables(podman, docker, inVariable), Home: home}, ""},
		{"REGISTRY_AUTH_FILE", credentials.Places{LookupEnv: variables(podman, docker, inVariable, runtime, config), Home: home}, "podman"},
		{"DOCKER_CONFIG", credentials.Places{LookupEnv: variables(docker, inVariable, runtime, config), Home: home}, "docker"},
		{"DOCKER_AUTH_CONFIG", credentials.Places{LookupEnv: variables(inVariable, runtime, config), Home: home}, "variable"},
		{"Podman's, runtime", credentials.Places{LookupEnv: variables(runtime, config), Home: home}, "runtime"},
		{"Podman's, XDG_CONFIG_HOME", credentials.Places{LookupEnv: variables(config), Home: home}, "config"},
		{"Podman's, home", credentials.Places{Home: home}, "home"},
		{"Docker's", credentials.Places{LookupEnv: variables(absent), Home: home}, "usual"},
		{"nowhere", credentials.Places{}, ""},
		{"empty variables", credentials.Places{LookupEnv: variables("REGISTRY_AUTH_FILE=", "DOCKER_CONFIG=", "DOCKER_AUTH_CONFIG=", absent), Home: home}, "usual"},
		{"files that are not there", credentials.Places{LookupEnv: variables("REGISTRY_AUTH_FILE=/no/file", "DOCKER_CONFIG=/no"), Home: "/no"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := user(t, newKeychain(t, c.places), "reg.example.com/org/repo"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestNextPlace goes on to the next place where one has nothing for a target.
func TestNextPlace(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	first := write(t, auths("one.example.com=one", "both.example.com="), dir, "auth.json")
	write(t, auths("two.example.com=two", "both.example.com=two"), home, ".docker", "config.json")
	k := newKeychain(t, credentials.Places{LookupEnv: variables("REGISTRY_AUTH_FILE=" + first), Home: home})
	got := []string{user(t, k, "one.example.com"), user(t, k, "two.example.com"), user(t, k, "both.example.com"), user(t, k, "three.example.com")}
	if diff := cmp.Diff([]string{"one", "two", "two", ""}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestScope(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []string
		target  string
		want    string
	}{
		{"host", []string{"reg.example.com=host"}, "reg.example.com/a/b", "host"},
		{"host alone", []string{"reg.example.com=host"}, "reg.example.com", "host"},
		{"host with port", []string{"localhost:5000=host"}, "localhost:5000/a/b", "host"},
		{"another port", []string{"localhost:5000=host"}, "localhost:5001/a/b", ""},
		{"another host", []string{"example.com=host"}, "reg.example.com/a/b", ""},
		{"path wins", []string{"reg.example.com=host", "reg.example.com/org-a=a"}, "reg.example.com/org-a/x", "a"},
		{"longest path wins", []string{"reg.example.com/org/repo=repo", "reg.example.com=host", "reg.example.com/org=org"}, "reg.example.com/org/repo", "repo"},
		{"a path is not for its neighbour", []string{"reg.example.com/org-a=a"}, "reg.example.com/org-b/x", ""},
		{"nor for one that it begins", []string{"reg.example.com/org=org"}, "reg.example.com/org-b/x", ""},
		{"nor for its parent", []string{"reg.example.com/org/repo=repo"}, "reg.example.com/org/other", ""},
		{"nor for the host", []string{"reg.example.com/org=org"}, "reg.example.com", ""},
		{"the neighbour has the host's", []string{"reg.example.com/org-a=a", "reg.example.com=host"}, "reg.example.com/org-b/x", "host"},
		{"slash at the end", []string{"reg.example.com/org/=org"}, "reg.example.com/org/x", "org"},
		{"empty entry of a path", []string{"reg.example.com/org=", "reg.example.com=host"}, "reg.example.com/org/x", "host"},
		{"URL", []string{"https://reg.example.com/v1/=url"}, "reg.example.com/a/b", "url"},
		{"URL with a path, as Docker and Podman take it", []string{"https://reg.example.com/org-a=url"}, "reg.example.com/org-b/x", "url"},
		{"plain URL", []string{"http://reg.example.com=url"}, "reg.example.com/a/b", "url"},
		{"version without scheme", []string{"reg.example.com/v2/=url"}, "reg.example.com/a/b", "url"},
		{"same words first", []string{"https://reg.example.com=url", "reg.example.com=words"}, "reg.example.com/a", "words"},
		{"Docker Hub as docker login writes it", []string{"https://index.docker.io/v1/=hub"}, "fastscore/engine", "hub"},
		{"Docker Hub as podman login writes it", []string{"docker.io=hub"}, "fastscore/engine", "hub"},
		{"an organisation of Docker Hub", []string{"docker.io=hub", "docker.io/fastscore=org"}, "fastscore/engine", "org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, auths(c.entries...), t.TempDir(), "auth.json")
			if got := user(t, newKeychain(t, credentials.Places{AuthFile: file}), c.target); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestEntry(t *testing.T) {
	for _, c := range []struct {
		name, entry string
		want        authn.AuthConfig
	}{
		{"auth", `{"auth": "YTpi"}`, authn.AuthConfig{Username: "a", Password: "b"}},
		{"colons in the password", `{"auth": "YTpiOmM="}`, authn.AuthConfig{Username: "a", Password: "b:c"}},
		{"padded", `{"auth": "YTpiAAA="}`, authn.AuthConfig{Username: "a", Password: "b"}},
		{"in the clear", `{"username": "a", "password": "b"}`, authn.AuthConfig{Username: "a", Password: "b"}},
		{"identity token", `{"auth": "PHRva2VuPjo=", "identitytoken": "t"}`, authn.AuthConfig{Username: "<token>", IdentityToken: "t"}},
		{"identity token of an account", `{"auth": "YTo=", "identitytoken": "t"}`, authn.AuthConfig{Username: "a", IdentityToken: "t"}},
		{"registry token", `{"registrytoken": "t"}`, authn.AuthConfig{RegistryToken: "t"}},
		{"members of other programs", `{"auth": "YTpi", "email": "a@example.com"}`, authn.AuthConfig{Username: "a", Password: "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKeychain(t, credentials.Places{LookupEnv: variables(`DOCKER_AUTH_CONFIG={"detachKeys": "x", "auths": {"reg.example.com": ` + c.entry + `}}`)})
			a, err := k.Resolve(resource(t, "reg.example.com/x"))
			if err != nil {
				t.Fatal(err)
			}
			got, err := a.Authorization()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestBroken(t *testing.T) {
	const secret = "aHVudGVyMg"
	for _, c := range []struct{ name, content, want string }{
		{"no JSON", "user: " + secret, "auth file FILE:1: not valid JSON"},
		{"a comma too many", "{\n  \"auths\": {\n    \"reg.example.com\": {\"auth\": \"" + secret + "\",}\n  }\n}\n", "auth file FILE:3: not valid JSON"},
		{"cut short", "{\n  \"auths\": {\n", "auth file FILE:2: not valid JSON"},
		{"a list", "[]", "auth file FILE:1: an array here does not belong into an auth file"},
		{"an entry that is text", "{\n\"auths\":\n{\"reg.example.com\": \"" + secret + "\"}}", "auth file FILE:3: a string here does not belong into an auth file"},
		{"no base64", "{\"auths\": {\n\"reg.example.com\": {\"auth\": \"" + secret + "!\"}}}", `auth file FILE:2: auth of "reg.example.com" is not USER:PASSWORD in base64`},
		{"no colon", "{\"auths\": {\"reg.example.com\": {\"auth\": \"" + secret + "==\"}}}", `auth file FILE:1: auth of "reg.example.com" is not USER:PASSWORD in base64`},
		{"no password", "{\"auths\": {\n\"reg.example.com\": {\"auth\": \"YWxpY2U6\"}}}", `auth file FILE:2: the entry for "reg.example.com" has no password`},
		{"no password in the clear", `{"auths": {"reg.example.com": {"username": "alice"}}}`, `auth file FILE:1: the entry for "reg.example.com" has no password`},
		{"no user", `{"auths": {"reg.example.com": {"password": "` + secret + `"}}}`, `auth file FILE:1: the entry for "reg.example.com" has no user`},
		{"too large", strings.Repeat(" ", 1<<20) + "{}", "auth file FILE: larger than 1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := write(t, c.content, t.TempDir(), "auth.json")
			check := func(err error) {
				t.Helper()
				var broken *credentials.FileError
				if !errors.As(err, &broken) {
					t.Fatalf("error %v is no FileError", err)
				}
				if got := strings.ReplaceAll(err.Error(), file, "FILE"); got != c.want {
					t.Errorf("got  %s\nwant %s", got, c.want)
				}
			}
			k, err := credentials.New(credentials.Places{AuthFile: file})
			if err == nil {
				_, err = k.Resolve(resource(t, "reg.example.com/x"))
			}
			check(err)
			// A file that nobody named stands in nobody's way until it is asked.
			k = newKeychain(t, credentials.Places{LookupEnv: variables("REGISTRY_AUTH_FILE=" + file)})
			_, err = k.Resolve(resource(t, "reg.example.com/x"))
			check(err)
		})
	}
}

func TestEmptyFile(t *testing.T) {
	file := write(t, "\n", t.TempDir(), "auth.json")
	if got := user(t, newKeychain(t, credentials.Places{AuthFile: file}), "reg.example.com"); got != "" {
		t.Errorf("got %q from an empty file", got)
	}
}

func TestMissingAuthFile(t *testing.T) {
	if _, err := credentials.New(credentials.Places{AuthFile: filepath.Join(t.TempDir(), "auth.json")}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v is not fs.ErrNotExist", err)
	}
}
