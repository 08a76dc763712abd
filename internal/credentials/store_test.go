// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/credentials"
)

func newStore(t *testing.T, places credentials.Places) *credentials.Store {
	t.Helper()
	s, err := credentials.NewStore(places)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func scope(t *testing.T, s string) credentials.Scope {
	t.Helper()
	parsed, err := credentials.ParseScope(s)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func put(t *testing.T, s *credentials.Store, target, user string) {
	t.Helper()
	if _, err := s.Put(t.Context(), scope(t, target), user, "secret"); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStorePlace(t *testing.T) {
	home := filepath.FromSlash("/home/alice")
	for _, c := range []struct {
		name   string
		places credentials.Places
		want   string
	}{
		{"flag", credentials.Places{AuthFile: "a.json", Home: home, LookupEnv: variables("REGISTRY_AUTH_FILE=/p.json")}, "a.json"},
		{"Podman's variable", credentials.Places{Home: home, LookupEnv: variables("REGISTRY_AUTH_FILE=/p.json", "DOCKER_CONFIG=/d")}, "/p.json"},
		{"Docker's variable", credentials.Places{Home: home, LookupEnv: variables("DOCKER_CONFIG=/d", "XDG_RUNTIME_DIR=/run")}, "/d/config.json"},
		{"home", credentials.Places{Home: home}, "/home/alice/.docker/config.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := filepath.ToSlash(newStore(t, c.places).File); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	if _, err := credentials.NewStore(credentials.Places{}); !errors.Is(err, credentials.ErrNoPlace) {
		t.Errorf("without a place: %v", err)
	}
}

func TestParseScope(t *testing.T) {
	for in, want := range map[string]string{
		"registry.example.com":           "registry.example.com",
		"registry.example.com:5000":      "registry.example.com:5000",
		"registry.example.com/org/sub":   "registry.example.com/org/sub",
		"docker.io":                      "index.docker.io",
		"docker.io/org":                  "index.docker.io/org",
		"":                               `"": want REGISTRY[/PATH], as image names begin`,
		"/org":                           `"/org": want REGISTRY[/PATH], as image names begin`,
		"registry.example.com/":          `"registry.example.com/": want REGISTRY[/PATH], as image names begin`,
		"https://registry.example.com":   `"https://registry.example.com": want REGISTRY[/PATH], as image names begin`,
		"a b":                            `"a b": "a b" is no registry`,
		"registry.example.com/Org":       `"registry.example.com/Org": "Org" is no path of a repository`,
		"registry.example.com/org/x:tag": `"registry.example.com/org/x:tag": "org/x:tag" is no path of a repository`,
	} {
		got, err := credentials.ParseScope(in)
		text := got.String()
		if err != nil {
			text = err.Error()
		}
		if text != want {
			t.Errorf("%q: got %s, want %s", in, text, want)
		}
	}
}

// TestPut writes entries that Docker, Podman and a Keychain find, and leaves
// the rest of the file as it was.
func TestPut(t *testing.T) {
	const auth = `"auth": "YWxpY2U6c2VjcmV0"`
	for _, c := range []struct{ name, target, before, want string }{
		{"a new file", "registry.example.com", "", `{"auths":{"registry.example.com":{` + auth + `}}}`},
		{"an empty file", "registry.example.com", "\n", `{"auths":{"registry.example.com":{` + auth + `}}}`},
		{"null", "registry.example.com", `{"auths": null}`, `{"auths":{"registry.example.com":{` + auth + `}}}`},
		{"a path", "registry.example.com:5000/org", "", `{"auths":{"registry.example.com:5000/org":{` + auth + `}}}`},
		{"Docker Hub", "docker.io", "", `{"auths":{"https://index.docker.io/v1/":{` + auth + `}}}`},
		{"a path of Docker Hub", "index.docker.io/org", "", `{"auths":{"docker.io/org":{` + auth + `}}}`},
		{
			"foreign content", "b.example.com", `{"psFormat": "<{{.ID}}>", "n": 1.50, "auths": {"a.example.com": {"auth": "YTpi", "x": 1e400}}, "proxies": {"é": []}}`,
			`{"psFormat":"<{{.ID}}>","n":1.50,"auths":{"a.example.com":{"auth": "YTpi","x":1e400},"b.example.com":{` + auth + `}},"proxies":{"é":[]}}`,
		},
		{
			"an old entry", "b.example.com", `{"auths": {"b.example.com": {"Auth": "YTpi", "identitytoken": "t", "email": "a@example.com"}}}`,
			`{"auths":{"b.example.com":{"email":"a@example.com",` + auth + `}}}`,
		},
		{
			"an entry in an older form", "b.example.com", `{"Auths": {"https://b.example.com/v1/": {"auth": "YTpi"}, "b.example.com/org": {}, "B.example.com": {}}}`,
			`{"Auths":{"b.example.com/org":{},"B.example.com":{},"b.example.com":{` + auth + `}}}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "new", "config.json")
			if c.before != "" {
				write(t, c.before, file)
			}
			s := newStore(t, credentials.Places{AuthFile: file})
			put(t, s, c.target, "alice")
			got := strings.NewReplacer("\n", "", "\t", "", `": `, `":`).Replace(read(t, file))
			if diff := cmp.Diff(strings.ReplaceAll(c.want, `": `, `":`), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			info, err := os.Stat(file)
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
			}
			k := newKeychain(t, credentials.Places{AuthFile: file})
			if got := user(t, k, c.target+"/org/x"); got != "alice" {
				t.Errorf("the keychain finds %q", got)
			}
			if place, err := k.Place(t.Context(), scope(t, c.target)); place != file || err != nil {
				t.Errorf("in %q, %v", place, err)
			}
			if was, err := s.Remove(t.Context(), scope(t, c.target)); !was || err != nil {
				t.Errorf("removed: %v, %v", was, err)
			}
			if strings.Contains(read(t, file), "YWxpY2U6c2VjcmV0") {
				t.Errorf("still there:\n%s", read(t, file))
			}
			if was, err := s.Remove(t.Context(), scope(t, c.target)); was || err != nil {
				t.Errorf("removed again: %v, %v", was, err)
			}
		})
	}
}

func TestPutThroughLink(t *testing.T) {
	dir := t.TempDir()
	file := write(t, "{}", dir, "dotfiles", "auth.json")
	link := filepath.Join(dir, "config.json")
	if err := os.Symlink(filepath.Join("dotfiles", "auth.json"), link); err != nil {
		t.Skip(err)
	}
	put(t, newStore(t, credentials.Places{AuthFile: link}), "registry.example.com", "alice")
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link is gone: %v, %v", info.Mode(), err)
	}
	if !strings.Contains(read(t, file), "registry.example.com") {
		t.Errorf("the file has\n%s", read(t, file))
	}
}

// TestPutFails wants a file that cannot be changed to stay as it was.
func TestPutFails(t *testing.T) {
	dir := t.TempDir()
	dangling := filepath.Join(dir, "dangling")
	if err := os.Symlink("nowhere", dangling); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct{ name, file, want string }{
		{"broken", write(t, "{\n\"auths\": 1}", dir, "broken"), "broken:2: a number here does not belong into an auth file"},
		{"an entry of another kind", write(t, `{"auths": {"registry.example.com": []}}`, dir, "entry"), "entry:1: an array here does not belong into an auth file"},
		{"not closed", write(t, `{"auths": {"registry.example.com": {}`, dir, "open"), "open:1: not valid JSON"},
		{"a link to nothing", dangling, "dangling: a symbolic link to nothing"},
		{"a directory", write(t, "", dir, "dir", "x"), ""},
		{"below a file", filepath.Join(write(t, "", dir, "plain"), "x", "auth.json"), "auth.json: not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "a directory" {
				c.file, c.want = filepath.Dir(c.file), "dir: is a directory"
			}
			before, _ := os.ReadFile(c.file)
			_, err := newStore(t, credentials.Places{AuthFile: c.file}).Put(t.Context(), scope(t, "registry.example.com"), "alice", "secret")
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got  %v\nwant … %s", err, c.want)
			}
			if after, _ := os.ReadFile(c.file); string(after) != string(before) {
				t.Errorf("the file has\n%s", after)
			}
		})
	}
}

// TestPutSideBySide loses none of several logins at once.
func TestPutSideBySide(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.json")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			s, err := credentials.NewStore(credentials.Places{AuthFile: file})
			if err == nil {
				_, err = s.Put(t.Context(), scope(t, fmt.Sprintf("r%d.example.com", i)), "alice", "secret")
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	k := newKeychain(t, credentials.Places{AuthFile: file})
	for i := range 8 {
		if host := fmt.Sprintf("r%d.example.com", i); user(t, k, host) != "alice" {
			t.Errorf("%s is lost", host)
		}
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

// keep is a credential helper that writes down what it is asked.
const keep = `dir=${0%/*}; echo "$verb $server" >> "$dir/asked"
case "$verb $server" in "get known.example.com") echo '{"Username": "alice", "Secret": "secret"}' ;;
get*) echo "credentials not found in native keychain"; exit 1 ;;
esac`

func TestStoreHelper(t *testing.T) {
	for _, c := range []struct {
		name, config, target, helper string
		was                          bool
		asked                        []string
	}{
		{
			"of the host", `{"credHelpers": {"known.example.com": "keep"}}`, "known.example.com", "keep", true,
			[]string{`store {"Secret":"secret","ServerURL":"known.example.com","Username":"alice"}`, "get known.example.com", "erase known.example.com"},
		},
		{
			"of all hosts", `{"credsStore": "keep"}`, "docker.io", "keep", true,
			[]string{`store {"Secret":"secret","ServerURL":"https://index.docker.io/v1/","Username":"alice"}`, "get https://index.docker.io/v1/"},
		},
		{
			"of a path", `{"credHelpers": {"known.example.com/org": "keep"}}`, "known.example.com/org", "keep", true,
			[]string{`store {"Secret":"secret","ServerURL":"known.example.com/org","Username":"alice"}`, "get known.example.com/org"},
		},
		{"of all hosts, for a path", `{"credsStore": "keep"}`, "known.example.com/org", "", true, nil},
		{"of another host", `{"credHelpers": {"other.example.com": "keep"}}`, "known.example.com", "", true, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := helpers(t, map[string]string{"keep": keep})
			file := write(t, c.config, dir, "config.json")
			s := newStore(t, credentials.Places{AuthFile: file})
			helper, err := s.Put(t.Context(), scope(t, c.target), "alice", "secret")
			if err != nil || helper != c.helper {
				t.Errorf("kept by %q, %v; want %q", helper, err, c.helper)
			}
			if text := read(t, file); strings.Contains(text, `"auth"`) != (c.helper == "") {
				t.Errorf("the file has\n%s", text)
			}
			if was, err := s.Remove(t.Context(), scope(t, c.target)); was != c.was || err != nil {
				t.Errorf("removed: %v, %v", was, err)
			}
			var asked []string
			if text, err := os.ReadFile(filepath.Join(dir, "asked")); err == nil {
				asked = strings.Split(strings.TrimSpace(string(text)), "\n")
			}
			if diff := cmp.Diff(c.asked, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestStoreHelperFails(t *testing.T) {
	dir := helpers(t, map[string]string{"locked": `echo "no $server" >&2; exit 1`, "hang": hang})
	const hangs, absent = "docker-credential-hang did not answer for registry.example.com within 50ms", "credential helper docker-credential-absent is not installed"
	for _, c := range []struct{ helper, put, remove string }{
		{"locked", "docker-credential-locked: exit status 1; what it says may hold a password and is not shown", "docker-credential-locked: exit status 1: no registry.example.com"},
		{"hang", hangs, hangs},
		{"absent", absent, absent},
	} {
		t.Run(c.helper, func(t *testing.T) {
			file := write(t, `{"credsStore": "`+c.helper+`"}`, dir, c.helper+".json")
			s := newStore(t, credentials.Places{AuthFile: file})
			s.SetLimit(50 * time.Millisecond)
			if c.helper != "hang" {
				s.SetLimit(20 * time.Second)
			}
			_, err := s.Put(t.Context(), scope(t, "registry.example.com"), "alice", "secret")
			if want := file + ": " + c.put; err == nil || err.Error() != want {
				t.Errorf("put: got %v, want %s", err, want)
			}
			_, err = s.Remove(t.Context(), scope(t, "registry.example.com"))
			if want := file + ": " + c.remove; err == nil || err.Error() != want {
				t.Errorf("remove: got %v, want %s", err, want)
			}
			if text := read(t, file); text != `{"credsStore": "`+c.helper+`"}` {
				t.Errorf("the file has\n%s", text)
			}
		})
	}
	s := newStore(t, credentials.Places{AuthFile: write(t, `{"credsStore": "hang"}`, dir, "config.json")})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, scope(t, "registry.example.com"), "alice", "secret"); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
