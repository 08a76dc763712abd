// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// helperLimit is how long a credential helper may take: some ask a cloud, or
// wait for a keychain to be unlocked.
const helperLimit = 30 * time.Second

// notFound is how helpers say that they have nothing for a server
// (github.com/docker/docker-credential-helpers, credentials/error.go).
const notFound = "credentials not found in native keychain"

// A turn is one server's place in line for a helper.
type turn struct {
	taken  chan struct{} // holds one token
	asked  bool
	answer *authn.AuthConfig
}

// ask asks a credential helper for the credentials of a scope; nil is none. An
// answer is kept, a failure is not.
func (k *Keychain) ask(ctx context.Context, helper, scope string) (*authn.AuthConfig, error) {
	key := helper + " " + scope
	k.mu.Lock()
	t, ok := k.turns[key]
	if !ok {
		t = &turn{taken: make(chan struct{}, 1)}
		k.turns[key] = t
	}
	k.mu.Unlock()
	select {
	case t.taken <- struct{}{}:
		defer func() { <-t.taken }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if t.asked {
		return t.answer, nil
	}
	answer, err := k.run(ctx, "docker-credential-"+helper, server(scope))
	if err != nil {
		return nil, err
	}
	t.asked, t.answer = true, answer
	return answer, nil
}

// server is what a helper knows a scope as. Docker Hub's is a URL of old.
func server(scope string) string {
	if scope == name.DefaultRegistry {
		return authn.DefaultAuthKey
	}
	return scope
}

// run asks a helper for a server's credentials; nil is none.
func (k *Keychain) run(ctx context.Context, program, server string) (*authn.AuthConfig, error) {
	out, err := callHelper(ctx, k.limit, program, "get", server, server)
	if errors.Is(err, errNotKept) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var answer struct{ Username, Secret string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return nil, fmt.Errorf("%s: its answer for %s is not valid JSON", program, server)
	}
	switch answer.Username {
	case "<token>": // docker login's mark of an identity token
		return &authn.AuthConfig{Username: answer.Username, IdentityToken: answer.Secret}, nil
	case "":
		if answer.Secret == "" {
			return nil, nil
		}
	}
	if answer.Secret == "" { // which would be sent as nobody's
		return nil, fmt.Errorf("%s: its answer for %s has no password", program, server)
	}
	return &authn.AuthConfig{Username: answer.Username, Password: answer.Secret}, nil
}

// errNotKept says that a helper has nothing for a server.
var errNotKept = errors.New(notFound)

// callHelper runs "PROGRAM VERB" (get, store or erase), about a server, and
// returns what it writes. Secrets go through its input: everybody on a machine
// sees arguments. The error is errNotKept where the helper says so.
func callHelper(parent context.Context, limit time.Duration, program, verb, server, input string) ([]byte, error) {
	if strings.ContainsAny(program, `/\`) {
		return nil, fmt.Errorf("credential helper %q: want a name without a path", program)
	}
	ctx, cancel := context.WithTimeout(parent, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, verb)
	cmd.Stdin = strings.NewReader(input)
	// A killed helper's own children may keep its output open.
	cmd.WaitDelay = time.Second
	var stdout, stderr boundedBuffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil // it is of a success: only a child has its output open, an agent for later calls
	}
	switch {
	case stdout.full || stderr.full:
		return nil, fmt.Errorf("%s: it wrote more than %d KiB for %s", program, maxAnswer>>10, server)
	case parent.Err() != nil:
		return nil, context.Cause(parent)
	case ctx.Err() != nil:
		return nil, fmt.Errorf("%s did not answer for %s within %v", program, server, limit)
	case err != nil && strings.TrimSpace(string(stdout.text)) == notFound:
		return nil, errNotKept
	case errors.Is(err, exec.ErrNotFound):
		return nil, fmt.Errorf("credential helper %s is not installed", program)
	case err != nil:
		return nil, helperFailure(program, verb, err, string(stdout.text), string(stderr.text))
	}
	return stdout.text, nil
}

// helperFailure is err of a helper with what it said, as far as that can hold no
// password: one that gets writes it to its output, and one that stores knows it.
func helperFailure(program, verb string, err error, stdout, stderr string) error {
	why := firstLine(stderr)
	switch {
	case why != "" && verb != "store" && !strings.Contains(stderr, "{"): // braces are an answer
		return fmt.Errorf("%s: %w: %s", program, err, why)
	case strings.TrimSpace(stdout+stderr) != "":
		return fmt.Errorf("%s: %w; what it says may hold a password and is not shown", program, err)
	}
	return fmt.Errorf("%s: %w", program, err)
}

// maxAnswer bounds what a helper may write: a token is a few kilobytes.
const maxAnswer = 1 << 20

var errTooMuch = errors.New("too much output")

// A boundedBuffer takes maxAnswer bytes, and then ends the program that writes.
// It is no bytes.Buffer, whose ReadFrom knows no bound.
type boundedBuffer struct {
	text []byte
	full bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if len(b.text)+len(p) > maxAnswer {
		b.full = true
		return 0, errTooMuch
	}
	b.text = append(b.text, p...)
	return len(p), nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return strings.TrimSpace(line)
}
