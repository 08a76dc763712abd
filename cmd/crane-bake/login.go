// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/internal/credentials"
)

func loginCommand() *command {
	l := &login{}
	return &command{
		name: "login", group: groupRegistry, args: "REGISTRY[/PATH]",
		short: "Keep a password for a registry, after a check with it",
		long: `
Reads the password from standard input, asks the registry whether it is right, and
then writes it where Docker looks for it: to the file of --authfile, else of
$REGISTRY_AUTH_FILE, else $DOCKER_CONFIG/config.json, else ~/.docker/config.json.
Where that file names a credential helper for the registry, the helper keeps it.

  crane-bake login registry.example.com -u robot --password-stdin < token
  crane-bake login registry.example.com/team -u robot --password-stdin < token

With a PATH, the password is for the repositories below it only. A password or a
token that is refused is exit code 4, and the file stays as it was.`,
		flags: l.register,
		run:   l.run,
	}
}

// login is the flags of one login.
type login struct {
	remote        remoteFlags
	user          string
	passwordStdin bool
}

func (l *login) register(fs *pflag.FlagSet) {
	fs.StringVarP(&l.user, "username", "u", "", "`NAME` of the account")
	fs.BoolVar(&l.passwordStdin, "password-stdin", false, "read the password from standard input; the only way to give it")
	l.remote.registerWay(fs)
	l.remote.registerLog(fs)
}

func (l *login) run(ctx context.Context, env *environment, args []string) error {
	scope, err := l.check(args)
	if err != nil {
		return err
	}
	asked, err := l.loginCheck(env, args[0])
	if err != nil {
		return err
	}
	places := l.remote.places(env)
	store, err := credentials.NewStore(places)
	if err != nil {
		return noPlace(err)
	}
	password, err := readPassword(ctx, env.stdin)
	if err != nil {
		return err
	}
	secrets := secretsOf(l.user, password)
	checked, err := asked.check(ctx, l.user, password, secrets)
	if err != nil {
		return redact(err, secrets)
	}
	helper, err := store.Put(ctx, scope, l.user, password)
	if err != nil {
		return redact(fmt.Errorf("keeping the password: %w", err), secrets)
	}
	if l.remote.quiet {
		return nil
	}
	if !checked {
		note(env.stderr, "%s asks nobody for a password, so nothing was checked", scope.RegistryStr())
	}
	where := "in " + store.File
	if helper != "" {
		where = "with docker-credential-" + helper
	}
	fmt.Fprintln(env.stderr, printable(fmt.Sprintf("logged in to %s as %s; the password is kept %s", scope, l.user, where)))
	if place := otherPlace(ctx, places, scope); place != "" && place != store.File {
		note(env.stderr, "%s has credentials for it too, and is asked first", place)
	}
	return nil
}

// check makes sure that the flags and arguments make sense.
func (l *login) check(args []string) (credentials.Scope, error) {
	var none credentials.Scope
	switch {
	case len(args) != 1:
		return none, withHint(errUsage("login: want one registry, have %d arguments", len(args)), "see crane-bake help login")
	case l.user == "":
		return none, errUsage("login: want the name of the account: -u NAME")
	case strings.ContainsAny(l.user, ":\x00\r\n"):
		return none, errUsage("login: --username %q: a name has no colon and no control characters", l.user)
	case !l.passwordStdin:
		return none, withHint(errUsage("login: want --password-stdin: the password is read from standard input only"),
			"printf %%s \"$TOKEN\" | crane-bake login %s -u %s --password-stdin", args[0], l.user)
	}
	return registryArg("login", args[0])
}

// registryArg is the argument REGISTRY[/PATH] of a command.
func registryArg(command, arg string) (credentials.Scope, error) {
	scope, err := credentials.ParseScope(arg)
	if err != nil {
		return scope, errUsage("%s: %v", command, err)
	}
	return scope, nil
}

// maxPassword bounds what is read as a password: a cloud's key file in JSON is
// a few kilobytes.
const maxPassword = 64 << 10

// readPassword reads the password without the end of its line. An interrupt
// ends the wait for it.
func readPassword(ctx context.Context, from *os.File) (string, error) {
	type result struct {
		text []byte
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := io.ReadAll(io.LimitReader(from, maxPassword+1))
		done <- result{text, err}
	}()
	var r result
	select {
	case r = <-done:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if r.err != nil {
		return "", fmt.Errorf("reading the password: %w", fileError("standard input", r.err))
	}
	text := bytes.TrimSuffix(bytes.TrimSuffix(r.text, []byte("\n")), []byte("\r"))
	switch {
	case len(r.text) > maxPassword:
		return "", errUsage("login: the password on standard input is longer than %d KiB", maxPassword>>10)
	case len(text) == 0:
		return "", errUsage("login: no password on standard input")
	case bytes.IndexByte(text, 0) >= 0:
		return "", errUsage("login: the password on standard input holds a zero byte")
	}
	return string(text), nil
}

// otherPlace is where credentials for scope would be taken from, "" where that
// cannot be told: it is for a note.
func otherPlace(ctx context.Context, places credentials.Places, scope credentials.Scope) string {
	keychain, err := credentials.New(places)
	if err != nil {
		return ""
	}
	place, err := keychain.Place(ctx, scope)
	if err != nil {
		return ""
	}
	return place
}

// noPlace is an error of credentials.NewStore.
func noPlace(err error) error {
	if errors.Is(err, credentials.ErrNoPlace) {
		return withHint(errUsage("%v: there is no home directory", err), "name a file with --authfile")
	}
	return err
}

func note(w io.Writer, format string, args ...any) {
	fmt.Fprintf(w, "note: %s\n", printable(fmt.Sprintf(format, args...)))
}
