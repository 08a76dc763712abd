// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
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
	scopes []string
	header http.Header
	body   io.ReadCloser // closed by send
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
	closeBody := func() {
		if req.body != nil {
			req.body.Close()
		}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	watch := newWatch(h.client.opts.Timeout, cancel)
	fail := func(err error) (*http.Response, error) {
		watch.stop()
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		cancel(nil)
		return nil, &Error{Op: req.op, Status: statusOf(err), Err: err}
	}
	rt, err := h.transportFor(ctx, req.scopes)
	if err != nil {
		closeBody()
		return fail(err)
	}
	var body io.Reader
	if req.body != nil {
		body = &watchedReader{ReadCloser: req.body, watch: watch}
	}
	hr, err := http.NewRequestWithContext(ctx, req.method, req.url.String(), body)
	if err != nil {
		closeBody()
		return fail(err)
	}
	for k, v := range req.header {
		hr.Header[k] = v
	}
	if req.body != nil {
		hr.ContentLength = req.size
		if req.size == 0 {
			hr.Body = http.NoBody
			closeBody()
		}
	}
	client := http.Client{Transport: rt}
	res, err := client.Do(hr)
	if err != nil {
		if failed, ok := body.(*watchedReader); ok && failed.failure() != nil {
			return fail(&sourceError{failed.failure()})
		}
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // its URL repeats what Op says, with tokens in queries
		}
		return fail(err)
	}
	if err := transport.CheckError(res, req.expect...); err != nil {
		after := retryAfter(res.Header)
		res.Body.Close()
		return fail(&answerError{err: err, after: after})
	}
	res.Body = &watchedReader{ReadCloser: res.Body, watch: watch, done: func() { watch.stop(); cancel(nil) }}
	return res, nil
}

// finish drains a short answer so that its connection is used again.
func finish(res *http.Response) {
	io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	res.Body.Close()
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

// watchedReader feeds the watch with every read, and keeps the error of the
// reader below apart from those of the network.
type watchedReader struct {
	io.ReadCloser
	watch *watch
	done  func()

	mu  sync.Mutex
	err error
}

func (r *watchedReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.watch.feed()
	if err != nil && err != io.EOF {
		r.mu.Lock()
		r.err = err
		r.mu.Unlock()
	}
	return n, err
}

func (r *watchedReader) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

func (r *watchedReader) Close() error {
	err := r.ReadCloser.Close()
	if r.done != nil {
		r.done()
	}
	return err
}
