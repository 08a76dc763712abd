// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/google/go-containerregistry/pkg/name"
)

// errElsewhere is for a login page, say, which is no answer about a password.
var errElsewhere = errors.New("GET /v2/ is redirected: what answers is not the registry")

// Login sends GET /v2/ with what Options.Keychain has for reg, or with the token
// that it is worth. checked is false for a registry that asks nobody for either.
// The error is an *Error.
func (c *Client) Login(ctx context.Context, reg name.Registry) (checked bool, err error) {
	h := c.host(reg)
	req := request{
		op:     "logging in to " + reg.RegistryStr(),
		method: http.MethodGet,
		url:    url.URL{Scheme: reg.Scheme(), Host: reg.RegistryStr(), Path: "/v2/"},
		scopes: access{repo: name.Repository{Registry: reg}},
		expect: []int{http.StatusOK},
	}
	err = c.retry(ctx, func(ctx context.Context) error {
		res, err := h.send(ctx, req)
		if err != nil {
			return err
		}
		defer finish(res)
		if at := res.Request.URL; at.Host != req.url.Host || at.Path != req.url.Path {
			return &Error{Op: req.op, Err: errElsewhere}
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	return h.pinged.Load().status != http.StatusOK, nil
}
