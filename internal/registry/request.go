// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// errStalled ends an attempt in which nothing moved for Options.Timeout.
var errStalled = errors.New("timed out: no byte moved")

// request is one HTTP request, sent once.
type request struct {
	op     string // for errors
	method string
	url    url.URL
	scopes access
	header http.Header
	body   io.ReadCloser // closed by send; nil is none
	size   int64         // of body, -1 unknown
	raw    []byte        // what body reads, where it is in memory
	expect []int         // statuses that are no error
	early  bool          // may go beside the ping
}

// url is path below the repository's own, with the host's registry; the
// scheme is settled by the ping.
func (r *Repository) url(path string, query url.Values) url.URL {
	return url.URL{
		Scheme:   r.name.Scheme(),
		Host:     r.name.RegistryStr(),
		Path:     "/v2/" + r.name.RepositoryStr() + "/" + path,
		RawQuery: query.Encode(),
	}
}

// send sends req once. The answer's body must be closed; until then a stall
// of Options.Timeout ends it. The request's body is not read any more when send
// returns, even where the answer came before it was sent.
func (h *host) send(ctx context.Context, req request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	ctx = withExchange(ctx, &exchange{})
	watch := newWatch(h.client.opts.Timeout, cancel)
	body := newSentBody(req.body, req.size, watch)
	fail := func(err error) (*http.Response, error) {
		body.Close()
		watch.stop()
		err = failure(ctx, req.op, err)
		cancel(nil)
		return nil, err
	}
	res, err := h.probe(ctx, req, watch)
	if res == nil && err == nil {
		res, err = h.carry(ctx, req, body, watch)
	}
	if err != nil {
		return fail(err)
	}
	if err := transport.CheckError(res, req.expect...); err != nil {
		res.Body.Close()
		return fail(&answerError{err, res.StatusCode})
	}
	body.Close()
	if req.size < 0 && !body.ended {
		res.Body.Close()
		return fail(errEarlyAnswer)
	}
	watch.stop()
	res.Body = &receivedBody{ReadCloser: res.Body, ctx: ctx, cancel: cancel, watch: watch}
	return res, nil
}

// carry sends req on the way for its scopes, and follows redirects.
func (h *host) carry(ctx context.Context, req request, body *sentBody, watch *watch) (*http.Response, error) {
	rt, err := h.transportFor(ctx, req.scopes, watch)
	if err != nil {
		return nil, err
	}
	watch.feed()
	hr, err := req.make(ctx, body)
	if err != nil {
		return nil, err
	}
	// A transport of HTTP/1 waits for a content that is being read even where
	// its request is cancelled.
	stop := context.AfterFunc(ctx, func() { body.Close() })
	defer stop()
	client := http.Client{Transport: rt, CheckRedirect: checkRedirect}
	res, err := client.Do(hr)
	if err != nil {
		if err := body.failure(); err != nil {
			return nil, &sourceError{err}
		}
		return nil, tokenFailure(err)
	}
	return res, nil
}

// make is req with its body as net/http wants it.
func (req request) make(ctx context.Context, body *sentBody) (*http.Request, error) {
	hr, err := http.NewRequestWithContext(ctx, req.method, req.url.String(), nil)
	if err != nil {
		return nil, err
	}
	maps.Copy(hr.Header, req.header)
	if req.size == 0 {
		body.Close() // without a length, net/http would send chunks
		return hr, nil
	}
	hr.Body, hr.ContentLength = body, req.size
	if req.raw != nil {
		hr.GetBody = func() (io.ReadCloser, error) {
			body.watch.feed()
			return io.NopCloser(bytes.NewReader(req.raw)), nil
		}
	}
	return hr, nil
}

// failure is err, or why ctx ended where it did, as an error of op. It keeps
// what the ctx's exchange noted.
func failure(ctx context.Context, op string, err error) error {
	e := &Error{Op: op, Err: endOf(ctx, err)}
	asked, secrets := exchangeOf(ctx).noted()
	e.secrets = secrets
	if e.Status = statusOf(e.Err); e.Status != 0 {
		e.after = asked
	}
	return e
}

// withoutURL drops the URLs from err: they repeat what Op says, and their
// queries may hold tokens.
func withoutURL(err error) error {
	var wrapped *url.Error
	for errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return err
}

// draining is how long finish waits for the rest of an answer.
const draining = 250 * time.Millisecond

// finish drains a short answer so that its connection is used again, which is
// not worth waiting for.
func finish(res *http.Response) {
	late := time.AfterFunc(draining, func() { res.Body.Close() })
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	late.Stop()
	res.Body.Close()
}

// location is where an upload session goes on; it may be relative.
func location(op string, res *http.Response) (url.URL, error) {
	loc := res.Header.Get("Location")
	u, err := res.Request.URL.Parse(loc)
	if err != nil || loc == "" {
		// Its text may hold the session's secret.
		return url.URL{}, &Error{Op: op, Status: res.StatusCode, Err: fmt.Errorf("no valid Location in the answer: %w", errOutOfSpec)}
	}
	if err := checkAddress(res.Request.Context(), res.Request.URL, u); err != nil {
		return url.URL{}, &Error{Op: op, Err: err}
	}
	return *u, nil
}

// watch cancels an attempt when it was not fed for its limit.
type watch struct {
	timer *time.Timer
	limit time.Duration
}

func newWatch(limit time.Duration, cancel context.CancelCauseFunc) *watch {
	return &watch{limit: limit, timer: time.AfterFunc(limit, func() {
		cancel(fmt.Errorf("%w for %v", errStalled, limit))
	})}
}

func (w *watch) feed()                       { w.timer.Reset(w.limit) }
func (w *watch) feedFor(extra time.Duration) { w.timer.Reset(w.limit + extra) }
func (w *watch) stop()                       { w.timer.Stop() }

// receivedBody is the body of an answer. The watch runs while it is read, not
// while the reader does something else.
type receivedBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	watch  *watch
}

func (b *receivedBody) Read(p []byte) (int, error) {
	b.watch.feed()
	n, err := b.ReadCloser.Read(p)
	b.watch.stop()
	if err != nil && err != io.EOF {
		if cause := context.Cause(b.ctx); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (b *receivedBody) Close() error {
	err := b.ReadCloser.Close()
	b.watch.stop()
	b.cancel(nil)
	return err
}
