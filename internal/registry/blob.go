// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Blob opens the blob that desc describes. What is read is verified against
// desc's size and digest when it ends, and a broken connection is taken up
// again where it broke.
func (r *Repository) Blob(ctx context.Context, desc v1.Descriptor) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	b := &blobReader{ctx: ctx, cancel: cancel, repo: r, desc: desc}
	if err := r.host.client.retry(ctx, func(context.Context) error { return b.open() }); err != nil {
		cancel()
		return nil, err
	}
	return Verify(b, desc)
}

// blobReader reads a blob over as many connections as it takes.
type blobReader struct {
	ctx      context.Context // of the read as a whole, as io.Reader has none
	cancel   context.CancelFunc
	repo     *Repository
	desc     v1.Descriptor
	at       int64
	attempts int

	mu   sync.Mutex // Close may come amid a Read
	body io.ReadCloser
}

func (b *blobReader) op() string {
	return fmt.Sprintf("reading blob %s of %s", b.desc.Digest, b.repo.name)
}

// open asks for the blob from b.at on.
func (b *blobReader) open() error {
	req := request{
		op:     b.op(),
		method: http.MethodGet,
		url:    b.repo.url("blobs/"+b.desc.Digest.String(), nil),
		scopes: b.repo.pullScopes(),
		expect: []int{http.StatusOK},
	}
	if b.at > 0 {
		req.header = http.Header{"Range": {"bytes=" + strconv.FormatInt(b.at, 10) + "-"}}
		req.expect = append(req.expect, http.StatusPartialContent)
	}
	res, err := b.repo.host.send(b.ctx, req)
	if err != nil {
		return err
	}
	if b.at > 0 && res.StatusCode == http.StatusOK {
		// The registry does not do ranges: pass over what is known already.
		if _, err := io.CopyN(io.Discard, res.Body, b.at); err != nil {
			res.Body.Close()
			return &Error{Op: b.op(), Err: err}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil { // closed meanwhile
		res.Body.Close()
		return context.Cause(b.ctx)
	}
	b.body = res.Body
	return nil
}

func (b *blobReader) Read(p []byte) (int, error) {
	for {
		n, err := b.body.Read(p)
		b.at += int64(n)
		if n > 0 {
			b.attempts = 0
		}
		if err == nil || (err == io.EOF && b.at >= b.desc.Size) {
			return n, err
		}
		if n > 0 {
			return n, nil // the error comes again
		}
		if b.ctx.Err() != nil {
			return 0, context.Cause(b.ctx)
		}
		if b.attempts++; b.attempts > b.repo.host.client.opts.Retries {
			if err == io.EOF {
				return 0, err // of a whole answer: the blob is too short
			}
			return 0, &Error{Op: b.op(), Err: err}
		}
		b.body.Close()
		b.repo.host.client.opts.Logger.Info("reading on", "blob", b.desc.Digest, "from", b.at, "because", err)
		err = b.repo.host.client.retry(b.ctx, func(context.Context) error { return b.open() })
		if statusOf(err) == http.StatusRequestedRangeNotSatisfiable {
			return 0, io.EOF // there is no more
		}
		if err != nil {
			return 0, err
		}
	}
}

func (b *blobReader) Close() error {
	b.cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.body.Close()
}
