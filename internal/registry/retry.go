// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Waiting between attempts: 0.1 s, doubled each time, up to backoffCap, with
// jitter so that many clients do not come back at once. A registry's own
// Retry-After is the least instead; for one beyond Options.MaxWait nobody waits.
const (
	backoffBase = 100 * time.Millisecond
	backoffCap  = 10 * time.Second
	spreadCap   = 5 * time.Second
	longWait    = time.Second // from which a wait is worth a warning
)

// retry calls attempt until it succeeds, fails for good, or the retries are
// used up; ctx ends it at once, waiting included.
func (c *Client) retry(ctx context.Context, attempt func(ctx context.Context) error) error {
	return c.retryWhile(ctx, func() bool { return false }, attempt)
}

// retryWhile is retry for what may get on from attempt to attempt: retries are
// counted from the last failed one for which gotOn was true. A body that was
// spent on a token that had run out is sent again at once, and that not counted.
func (c *Client) retryWhile(ctx context.Context, gotOn func() bool, attempt func(ctx context.Context) error) error {
	repeated := false
	for n := 0; ; n++ {
		err := attempt(ctx)
		if err == nil || ctx.Err() != nil {
			return endOf(ctx, err)
		}
		if !passing(err) {
			return err
		}
		if errors.Is(err, errBodySpent) && !repeated {
			// Nothing failed: there is a new token now.
			repeated = true
			n--
			c.opts.Logger.Info("sending again with a new token", "because", err)
			continue
		}
		asked := askedWait(err)
		if asked > c.opts.MaxWait {
			return fmt.Errorf("%w: the registry asks to wait %v", err, asked.Round(time.Second))
		}
		if gotOn() {
			n = 0
		}
		if n >= c.opts.Retries {
			return err
		}
		wait := backoff(n)
		if asked > 0 {
			wait = asked + spread(asked, n)
		}
		level := slog.LevelInfo
		if cmp.Or(asked, wait) > longWait {
			level = slog.LevelWarn
		}
		c.opts.Logger.Log(ctx, level, "trying again", "in", wait.Round(time.Millisecond), "attempt", n+2, "because", err)
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// endOf is err, or why ctx ended where it did: what a cancelled request
// reports is only how it noticed.
func endOf(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// backoff is how long to wait after the attempt number n (from 0) failed.
func backoff(n int) time.Duration {
	d := min(backoffBase<<min(n, 16), backoffCap)
	return d/2 + rand.N(d)
}

// spread is what is waited beyond the time asked for, from none to half of it at
// first and twice as much each time: requests that were refused together would
// be refused again if they came back together.
func spread(asked time.Duration, n int) time.Duration {
	return rand.N(min(asked/2<<min(n, 4), spreadCap) + 1)
}

// askedWait is the wait that the refusal err asked for, 0 without one.
func askedWait(err error) time.Duration {
	var e *Error
	if errors.As(err, &e) {
		return e.after
	}
	return 0
}

// maxSeconds is the most that a Duration holds.
const maxSeconds = uint64(math.MaxInt64 / time.Second)

// retryAfter reads Retry-After (RFC 9110, 10.2.3): seconds or a date, the
// latter against the server's own clock where it sent one.
func retryAfter(h http.Header) time.Duration {
	v := h.Get("Retry-After")
	if s, err := strconv.ParseUint(v, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(min(s, maxSeconds)) * time.Second
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
