// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// loginCheck asks a registry whether a password is right.
type loginCheck struct {
	registry name.Registry
	options  registry.Options // without Keychain
}

func (l *login) loginCheck(env *environment, arg string) (*loginCheck, error) {
	if err := l.remote.checkWay(); err != nil {
		return nil, err
	}
	logger, err := l.remote.logger(env.stderr)
	if err != nil {
		return nil, err
	}
	transport, err := l.remote.transport(env)
	if err != nil {
		return nil, err
	}
	var opts []name.Option
	if l.remote.insecure {
		opts = append(opts, name.Insecure)
	}
	host, _, _ := strings.Cut(arg, "/")
	reg, err := name.NewRegistry(host, opts...)
	if err != nil {
		return nil, errUsage("login: %q: %v", host, err)
	}
	return &loginCheck{reg, registry.Options{
		Transport: transport,
		Insecure:  l.remote.insecure,
		Retries:   l.remote.retriesOption(),
		Timeout:   l.remote.timeout,
		UserAgent: "crane-bake/" + version(),
		Logger:    logger,
	}}, nil
}

// check asks with the password, of which the log says nothing. checked is false
// for a registry that lets everybody in.
func (c *loginCheck) check(ctx context.Context, user, password string, secrets *strings.Replacer) (checked bool, err error) {
	opts := c.options
	opts.Keychain = account{user, password}
	opts.Logger = slog.New(redactedLog{opts.Logger.Handler(), secrets})
	checked, err = registry.New(opts).Login(ctx, c.registry)
	if errors.Is(err, registry.ErrDenied) {
		err = withHint(err, "check the name and the password; some registries want a token in its place")
	}
	return checked, err
}

// account is the keychain of one account.
type account struct{ user, password string }

func (a account) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: a.user, Password: a.password}, nil
}
