// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Waiting between attempts: 0.1 s, doubled each time, up to backoffCap, with
// jitter so that many clients do not come back at once. A registry's own
// Retry-After wins, up to retryAfterCap.
const (
	backoffBase   = 100 * time.Millisecond
	backoffCap    = 10 * time.Second
	retryAfterCap = 2 * time.Minute
)

// retry calls attempt until it succeeds, fails for good, or the retries are
// used up; ctx ends it at once, waiting included.
func (c *Client) retry(ctx context.Context, attempt func(ctx context.Context) error) error {
	for n := 0; ; n++ {
		err := attempt(ctx)
		if err == nil || ctx.Err() != nil {
			return cmpCause(ctx, err)
		}
		if n >= c.opts.Retries || !passing(err) {
			return err
		}
		wait := backoff(n, err)
		c.opts.Logger.Info("trying again", "in", wait.Round(time.Millisecond), "attempt", n+2, "because", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// cmpCause is err, or why ctx ended where it did: what a cancelled request
// reports is only how it noticed.
func cmpCause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// backoff is how long to wait after the attempt number n (from 0) failed.
func backoff(n int, err error) time.Duration {
	var answer *answerError
	if errors.As(err, &answer) && answer.after > 0 {
		return min(answer.after, retryAfterCap)
	}
	d := min(backoffBase<<min(n, 16), backoffCap)
	return d/2 + rand.N(d)
}

// answerError is a registry's error answer with the wait that it asked for.
type answerError struct {
	err    error
	status int
	after  time.Duration
}

func (e *answerError) Error() string { return e.err.Error() }
func (e *answerError) Unwrap() error { return e.err }

// retryAfter reads Retry-After (RFC 9110, 10.2.3): seconds or a date, the
// latter against the server's own clock where it sent one.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.Atoi(v); err == nil && s >= 0 {
		return min(time.Duration(s)*time.Second, retryAfterCap)
	}
	at, err := http.ParseTime(v)
	if err != nil {
		return 0
	}
	now, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		now = time.Now()
	}
	return max(at.Sub(now), 0)
}
