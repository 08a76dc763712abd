// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A vault holds every secret of a test, and runs crane-bake: none of them may
// be in what it says, at its most talkative.
type vault struct {
	mu      sync.Mutex
	secrets []string
	said    string // on standard error, by the last run
}

// keep adds secrets, in the forms that they travel in.
func (v *vault) keep(secrets ...string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range secrets {
		v.secrets = append(v.secrets, s)
		if escaped := url.QueryEscape(s); escaped != s {
			v.secrets = append(v.secrets, escaped)
		}
	}
}

// account is USER:PASSWORD, kept.
func (v *vault) account(user, password string) string {
	both := user + ":" + password
	v.keep(password, base64.StdEncoding.EncodeToString([]byte(both)))
	return both
}

// authFile is an auth file of USER:PASSWORD by registry, or part of one.
func (v *vault) authFile(t testing.TB, accounts map[string]string) string {
	t.Helper()
	auths := map[string]any{}
	for scope, account := range accounts {
		auths[scope] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(account))}
	}
	text, err := json.Marshal(map[string]any{"auths": auths})
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "auth.json", string(text))
}

func writeFile(t testing.TB, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// An outcome is what a run of crane-bake left.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs "crane-bake -v ARGS" with variables, NAME=VALUE, and some input.
func (v *vault) run(t testing.TB, vars []string, input string, args ...string) outcome {
	t.Helper()
	cmd := command(t, craneBake, args...)
	cmd.Args = append(cmd.Args, "--verbose")
	cmd.Env = append(cmd.Env, vars...)
	cmd.Stdin = strings.NewReader(input)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	o := outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = o.stderr
	for _, s := range v.secrets {
		if strings.Contains(o.stdout+o.stderr, s) {
			t.Errorf("crane-bake %s: the secret %q is in\n%s%s", strings.Join(args, " "), s, o.stdout, o.stderr)
		}
	}
	return o
}

// bake bakes the example, which must succeed, and returns the report.
func (v *vault) bake(t testing.TB, vars []string, base, dst string, flags ...string) result {
	t.Helper()
	args := []string{"build", "--format", "json", "-f", filepath.Join(scorer, "bake.yaml"), "-b", base, "-t", dst}
	o := v.run(t, vars, "", append(args, flags...)...)
	var r result
	if err := json.Unmarshal([]byte(o.stdout), &r); o.code != 0 || err != nil {
		t.Fatalf("exit code %d, %v\n%s", o.code, err, o.stderr)
	}
	return r
}

// refuse bakes the example, which must fail with a code, and with the texts in
// what it says.
func (v *vault) refuse(t testing.TB, code int, vars []string, base, dst string, flags []string, texts ...string) {
	t.Helper()
	args := []string{"build", "-f", filepath.Join(scorer, "bake.yaml"), "-b", base, "-t", dst}
	v.fails(t, code, vars, append(args, flags...), texts...)
}

// fails is run that must fail.
func (v *vault) fails(t testing.TB, code int, vars, args []string, texts ...string) {
	t.Helper()
	o := v.run(t, vars, "", args...)
	if o.code != code || o.stdout != "" {
		t.Errorf("exit code %d, want %d\n%s%s", o.code, code, o.stdout, o.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(o.stderr, text) {
			t.Errorf("no %q in\n%s", text, o.stderr)
		}
	}
}
