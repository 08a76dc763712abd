// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// exchange is what is noted of a request on the wire, its ping and its token
// requests included: go-containerregistry's errors have no headers.
type exchange struct {
	mu      sync.Mutex
	asked   time.Duration // wait that the last answer asked for
	secrets []string      // that were sent
}

type exchangeKey struct{}

// withExchange is ctx for requests that e notes.
func withExchange(ctx context.Context, e *exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, e)
}

// exchangeOf is the exchange that ctx is for, or one that nobody reads.
func exchangeOf(ctx context.Context) *exchange {
	if e, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return e
	}
	return &exchange{}
}

// sends notes what is secret of a request.
func (e *exchange) sends(req *http.Request) {
	var secrets []string
	if header := req.Header.Get("Authorization"); header != "" {
		_, value, _ := strings.Cut(header, " ")
		_, password, _ := req.BasicAuth()
		secrets = append(secrets, header, value, password)
	}
	if isForm(req) && req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			raw, err := io.ReadAll(body)
			form, formErr := url.ParseQuery(string(raw))
			if err == nil && formErr == nil {
				secrets = append(secrets, form.Get("refresh_token"), form.Get("password"))
			}
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, s := range secrets {
		if len(s) >= minSecret && !slices.Contains(e.secrets, s) {
			e.secrets = append(e.secrets, s)
		}
	}
}

// minSecret is the length of the shortest secret that is looked for in texts:
// what is shorter is part of innocent words.
const minSecret = 6

func (e *exchange) answered(res *http.Response) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = retryAfter(res.Header)
}

// noted is the wait that the last answer asked for, and what was sent in
// secret, the longest first: one may be part of another.
func (e *exchange) noted() (asked time.Duration, secrets []string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.asked, slices.SortedFunc(slices.Values(e.secrets), func(a, b string) int { return cmp.Compare(len(b), len(a)) })
}

// without is text with each of the secrets blotted out.
func without(secrets []string, text string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "[hidden]")
	}
	return text
}
