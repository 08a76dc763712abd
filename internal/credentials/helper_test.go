// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/credentials"
)

// helpers puts credential helpers, shell scripts, in front of PATH and returns
// their directory. Each finds the verb in $verb, and the server, or what it is to
// store, in $server.
func helpers(t *testing.T, scripts map[string]string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the helpers are shell scripts")
	}
	dir := t.TempDir()
	for name, script := range scripts {
		file := write(t, "#!/bin/sh\nverb=$1\n[ $# = 1 ] || exit 9\nread -r server\n"+script+"\n", dir, "docker-credential-"+name)
		if err := os.Chmod(file, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return dir
}

const (
	echo   = `echo "{\"ServerURL\": \"$server\", \"Username\": \"at $server\", \"Secret\": \"secret\"}"`
	nobody = `echo "credentials not found in native keychain"; exit 1`
)

func inVariable(content string) credentials.Places {
	return credentials.Places{LookupEnv: variables("DOCKER_AUTH_CONFIG=" + content)}
}

func TestHelper(t *testing.T) {
	helpers(t, map[string]string{"echo": echo, "nobody": nobody, "blank": `echo '{"Username": "", "Secret": ""}'`})
	plain := `"auths": {"reg.example.com": {"auth": "cGxhaW46c2VjcmV0"}, "reg.example.com/org": {}}`
	for _, c := range []struct{ name, config, target, want string }{
		{"for a host", `{"credHelpers": {"reg.example.com": "echo"}}`, "reg.example.com/org/x", "at reg.example.com"},
		{"for a path", `{"credHelpers": {"reg.example.com/org": "echo"}}`, "reg.example.com/org/x", "at reg.example.com/org"},
		{"for another host", `{"credHelpers": {"example.com": "echo"}}`, "reg.example.com/org/x", ""},
		{"for all", `{"credsStore": "echo"}`, "reg.example.com/org/x", "at reg.example.com"},
		{"for one before for all", `{"credHelpers": {"reg.example.com": "nobody"}, "credsStore": "echo"}`, "reg.example.com/x", ""},
		{"before plain text", `{"credsStore": "echo", ` + plain + `}`, "reg.example.com/org/x", "at reg.example.com"},
		{"without an answer", `{"credsStore": "nobody", ` + plain + `}`, "reg.example.com/org/x", "plain"},
		{"with an empty answer", `{"credsStore": "blank", ` + plain + `}`, "reg.example.com/org/x", "plain"},
		{"Docker Hub", `{"credsStore": "echo"}`, "fastscore/engine", "at https://index.docker.io/v1/"},
		{"switched off", `{"credHelpers": {"reg.example.com": ""}, ` + plain + `}`, "reg.example.com/x", "plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := user(t, newKeychain(t, inVariable(c.config)), c.target); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestHelperToken(t *testing.T) {
	helpers(t, map[string]string{"token": `echo '{"Username": "<token>", "Secret": "t"}'`})
	a, err := newKeychain(t, inVariable(`{"credsStore": "token"}`)).Resolve(resource(t, "reg.example.com/x"))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := a.Authorization(); err != nil || c.IdentityToken != "t" || c.Password != "" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestHelperFails(t *testing.T) {
	helpers(t, map[string]string{
		"locked":  `echo "alice secret failed"; exit 1`,
		"mute":    `exit 1`,
		"half":    `echo '{"Username": "alice", "Secret": ""}'`,
		"loud":    `echo "no session" >&2; exit 2`,
		"prose":   `echo "alice, secret"`,
		"torn":    `echo '{"Username": "alice", "Secret": "secret"}'; echo '{"Secret": "secret"}' >&2; exit 3`,
		"endless": `exec yes secret`,
	})
	for _, c := range []struct{ helper, want string }{
		{"locked", "$DOCKER_AUTH_CONFIG: docker-credential-locked: exit status 1; what it says may hold a password and is not shown"},
		{"mute", "$DOCKER_AUTH_CONFIG: docker-credential-mute: exit status 1"},
		{"half", "$DOCKER_AUTH_CONFIG: docker-credential-half: its answer for reg.example.com has no password"},
		{"loud", "$DOCKER_AUTH_CONFIG: docker-credential-loud: exit status 2: no session"},
		{"prose", "$DOCKER_AUTH_CONFIG: docker-credential-prose: its answer for reg.example.com is not valid JSON"},
		{"torn", "$DOCKER_AUTH_CONFIG: docker-credential-torn: exit status 3; what it says may hold a password and is not shown"},
		{"endless", "$DOCKER_AUTH_CONFIG: docker-credential-endless: it wrote more than 1024 KiB for reg.example.com"},
		{"absent", "$DOCKER_AUTH_CONFIG: credential helper docker-credential-absent is not installed"},
		{"../x", `$DOCKER_AUTH_CONFIG: credential helper "docker-credential-../x": want a name without a path`},
	} {
		t.Run(c.helper, func(t *testing.T) {
			_, err := newKeychain(t, inVariable(`{"credsStore": "`+c.helper+`"}`)).Resolve(resource(t, "reg.example.com/x"))
			if err == nil || err.Error() != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestHelperOnce asks a helper once for a server, however many repositories of
// it are asked for at once.
func TestHelperOnce(t *testing.T) {
	dir := helpers(t, map[string]string{"count": `echo "$server" >> "${0%/*}/asked"` + "\n" + echo})
	k := newKeychain(t, inVariable(`{"credHelpers": {"reg.example.com": "count", "other.example.com": "count"}}`))
	var wg sync.WaitGroup
	for _, target := range []string{"reg.example.com/a", "reg.example.com/b", "other.example.com/a", "reg.example.com/c", "other.example.com"} {
		wg.Go(func() {
			if _, err := k.Resolve(resource(t, target)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(asked), "\n"); n != 2 {
		t.Errorf("asked %d times, want once for each host:\n%s", n, asked)
	}
}

// A helper's child may keep its output open, as an agent for later calls does.
func TestHelperLeavesChild(t *testing.T) {
	helpers(t, map[string]string{"agent": "sleep 5 &\n" + echo})
	if got := user(t, newKeychain(t, inVariable(`{"credsStore": "agent"}`)), "reg.example.com/x"); got != "at reg.example.com" {
		t.Errorf("got %q", got)
	}
}

// hang never answers, and has a child that keeps its output open.
const hang = `sleep 5 & sleep 5`

func TestHelperHangs(t *testing.T) {
	helpers(t, map[string]string{"hang": hang})
	k := newKeychain(t, inVariable(`{"credsStore": "hang"}`))
	k.SetLimit(50 * time.Millisecond)
	_, err := k.Resolve(resource(t, "reg.example.com/x"))
	if want := "$DOCKER_AUTH_CONFIG: docker-credential-hang did not answer for reg.example.com within 50ms"; err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestHelperInterrupted(t *testing.T) {
	helpers(t, map[string]string{"hang": hang})
	k := newKeychain(t, inVariable(`{"credsStore": "hang"}`))
	ctx, cancel := context.WithCancelCause(t.Context())
	done := make(chan error, 2)
	for range 2 { // one runs the helper, the other waits for it
		go func() {
			_, err := k.ResolveContext(ctx, resource(t, "reg.example.com/x"))
			done <- err
		}()
	}
	cancel(context.Canceled)
	for range 2 {
		if err := <-done; err == nil || !strings.HasSuffix(err.Error(), context.Canceled.Error()) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
	}
}
