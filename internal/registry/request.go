// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
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
	expect []int         // statuses that are no error
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
// of Options.Timeout ends it.
func (h *host) send(ctx context.Context, req request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	var asked atomic.Int64
	ctx = context.WithValue(ctx, waitKey{}, &asked)
	watch := newWatch(h.client.opts.Timeout, cancel)
	body := &sentBody{ReadCloser: req.body, left: req.size, watch: watch}
	fail := func(err error) (*http.Response, error) {
		watch.stop()
		body.Close()
		err = failure(ctx, req.op, err, time.Duration(asked.Load()))
		cancel(nil)
		return nil, err
	}
	rt, err := h.transportFor(ctx, req.scopes, watch)
	if err != nil {
		return fail(err)
	}
	watch.feed()
	hr, err := req.make(ctx, body)
	if err != nil {
		return fail(err)
	}
	// A transport of HTTP/1 waits for a content that is being read even where
	// its request is cancelled.
	stop := context.AfterFunc(ctx, func() { body.Close() })
	client := http.Client{Transport: rt}
	res, err := client.Do(hr)
	stop()
	if err != nil {
		if err := body.failure(); err != nil {
			return fail(&sourceError{err})
		}
		return fail(withoutURL(err))
	}
	if err := transport.CheckError(res, req.expect...); err != nil {
		res.Body.Close()
		return fail(&answerError{err, res.StatusCode})
	}
	watch.stop()
	res.Body = &receivedBody{ReadCloser: res.Body, ctx: ctx, cancel: cancel, watch: watch}
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
	return hr, nil
}

// failure is err, or why ctx ended where it did, as an error of op. Where it is
// an answer, asked is the wait that it asked for.
func failure(ctx context.Context, op string, err error, asked time.Duration) error {
	e := &Error{Op: op, Err: endOf(ctx, err)}
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

// finish drains a short answer so that its connection is used again.
func finish(res *http.Response) {
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	res.Body.Close()
}

// location is where an upload session goes on; it may be relative.
func location(op string, res *http.Response) (url.URL, error) {
	loc := res.Header.Get("Location")
	u, err := res.Request.URL.Parse(loc)
	if err != nil || loc == "" {
		// Its text may hold the session's secret.
		return url.URL{}, &Error{Op: op, Status: res.StatusCode, Err: errors.New("no valid Location in the answer")}
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

func (w *watch) feed() { w.timer.Reset(w.limit) }
func (w *watch) stop() { w.timer.Stop() }

// errBodySpent is what a transport gets that sends a body a second time, as
// that of bearer tokens does after a challenge: what is left of the body is not
// the content. The next attempt opens it anew.
var errBodySpent = errors.New("the request had to be sent again when its body was under way")

// sentBody is the body of a request. It feeds the watch with every read, which
// does not count the time that the content takes, and keeps the errors of the
// content apart from those of the network.
type sentBody struct {
	io.ReadCloser
	left  int64 // to be read; negative is unknown
	watch *watch
	sent  atomic.Bool

	mu     sync.Mutex
	closed bool
	err    error
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.watch.stop()
	n, err := b.ReadCloser.Read(p)
	b.watch.feed()
	b.left -= int64(n)
	if err == io.EOF && b.left > 0 {
		err = fmt.Errorf("%w: it ends %d bytes early", ErrIntegrity, b.left)
	}
	if err != nil && err != io.EOF {
		b.mu.Lock()
		defer b.mu.Unlock()
		// A broken connection closes the body while it may still be read.
		if !b.closed {
			b.err = err
		}
	}
	return n, err
}

func (b *sentBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Close closes the content the first time.
func (b *sentBody) Close() error {
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	if closed || b.ReadCloser == nil {
		return nil
	}
	return b.ReadCloser.Close()
}

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
