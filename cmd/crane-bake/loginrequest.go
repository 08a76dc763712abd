// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// loginCheck asks a registry whether a password is right.
type loginCheck struct {
	registry name.Registry
	wire     http.RoundTripper
	insecure bool
	timeout  time.Duration
}

func (f *remoteFlags) loginCheck(env *environment, arg string) (*loginCheck, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	if _, err := f.logger(env.stderr); err != nil {
		return nil, err
	}
	wire, err := f.transport(env)
	if err != nil {
		return nil, err
	}
	var opts []name.Option
	if f.insecure {
		opts = append(opts, name.Insecure)
	}
	host, _, _ := strings.Cut(arg, "/")
	reg, err := name.NewRegistry(host, opts...)
	if err != nil {
		return nil, errUsage("login: %q: %v", host, err)
	}
	// What passes by itself passes within a second or two.
	backoff := transport.Backoff{Duration: 100 * time.Millisecond, Factor: 2, Jitter: 0.5, Steps: f.retries + 1, Cap: 5 * time.Second}
	wire = transport.NewRetry(wire, transport.WithRetryBackoff(backoff), transport.WithRetryStatusCodes(
		http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout))
	return &loginCheck{reg, transport.NewUserAgent(wire, "crane-bake/"+version()), f.insecure, f.timeout}, nil
}

// check sends GET /v2/ with the password, or with the token that it is worth.
// checked is false for a registry that lets everybody in.
func (c *loginCheck) check(parent context.Context, user, password string) (checked bool, err error) {
	ctx, cancel := context.WithTimeoutCause(parent, c.timeout, fmt.Errorf("no answer within %v", c.timeout))
	defer cancel()
	defer func() {
		if err != nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			err = c.refusal(err)
		}
	}()
	challenge, err := transport.Ping(ctx, c.registry, c.wire)
	if err != nil {
		return false, err
	}
	if challenge.Insecure && !c.insecure && !loopback(c.registry.RegistryStr()) {
		return false, withHint(errUsage("%s speaks plain HTTP: the password was not sent", c.registry.RegistryStr()), "add --insecure if that is meant")
	}
	// The ping may have been answered to nobody in particular.
	auth := &authn.Basic{Username: user, Password: password}
	rt, err := transport.NewWithContext(ctx, c.registry, auth, c.wire, nil)
	if err != nil {
		return false, err
	}
	u := url.URL{Scheme: "https", Host: c.registry.RegistryStr(), Path: "/v2/"}
	if challenge.Insecure {
		u.Scheme = "http"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return false, err
	}
	// Nothing that is redirected is an answer about the password.
	client := http.Client{Transport: rt, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	return challenge.Scheme != "", transport.CheckError(res, http.StatusOK)
}

// refusal sorts err into the kinds that exit codes are for.
func (c *loginCheck) refusal(err error) error {
	var usage *usageError
	if errors.As(err, &usage) {
		return err
	}
	e := &registry.Error{Op: "logging in to " + c.registry.RegistryStr(), Err: err}
	var sent *url.Error
	var answer *transport.Error
	switch {
	case errors.As(err, &sent): // before an answer: over http, TLS is answered by a 400
		e.Err = sent.Err
	case errors.As(err, &answer):
		e.Status = answer.StatusCode
	}
	if errors.Is(e, registry.ErrDenied) {
		return withHint(e, "check the name and the password; some registries want a token in its place")
	}
	return e
}

// loopback reports whether a host is this machine.
func loopback(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}
