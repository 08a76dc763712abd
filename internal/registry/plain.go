// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/stream"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// errOutOfSpec is an answer to an upload that the distribution spec does not
// know.
var errOutOfSpec = errors.New("the distribution spec has no such answer")

// outOfSpec reports whether err is such an answer: a success or a redirection
// that is none of the upload's, a session without a place, or a refusal that no
// end point has. What the spec has is the registry's last word.
func outOfSpec(err error) bool {
	if errors.Is(err, errOutOfSpec) {
		return true
	}
	var answer *answerError
	if !isNetwork(err) || !errors.As(err, &answer) {
		return false // of the content, or a token server's
	}
	switch answer.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
		http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed,
		http.StatusRequestEntityTooLarge, http.StatusRequestedRangeNotSatisfiable, http.StatusTooManyRequests:
		return false
	}
	return answer.status < 500
}

// uploadPlainly puts a blob into the repository with go-containerregistry's own
// push: a HEAD, a session, one PATCH with chunked transfer coding, and a PUT.
// That is the order that every registry has met.
func (r *Repository) uploadPlainly(ctx context.Context, c Content) error {
	return r.host.client.retry(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		ctx = withExchange(ctx, &exchange{})
		watch := newWatch(r.host.client.opts.Timeout, cancel)
		defer watch.stop()
		op := fmt.Sprintf("uploading a blob to %s with go-containerregistry", r.name)
		lease, err := r.host.transportFor(ctx, r.pushScopes(), watch)
		if err != nil {
			return failure(ctx, op, err)
		}
		rt, err := lease.transport(ctx, true) // which go-containerregistry knows as its own
		if err != nil {
			return failure(ctx, op, err)
		}
		watch.feed()
		l := &plainLayer{ctx: ctx, content: c, watch: watch}
		err = remote.WriteLayer(r.name, l, remote.WithContext(ctx), remote.WithTransport(rt), remote.WithRetryBackoff(remote.Backoff{Steps: 1}))
		if failed := l.close(); failed != nil {
			err = &sourceError{failed}
		}
		if err == nil {
			return nil
		}
		var answer *transport.Error
		if errors.As(err, &answer) {
			err = &answerError{err, answer.StatusCode}
		}
		return failure(ctx, op, withoutURL(err))
	})
}

// plainLayer is a content as go-containerregistry's layer.
type plainLayer struct {
	ctx     context.Context
	content Content
	watch   *watch
	opened  []*sentBody
	err     error // of opening it
}

func (l *plainLayer) Digest() (v1.Hash, error) {
	desc, known := l.content.Descriptor()
	if !known {
		return v1.Hash{}, stream.ErrNotComputed
	}
	return desc.Digest, nil
}

func (l *plainLayer) Size() (int64, error) {
	desc, known := l.content.Descriptor()
	if !known {
		return 0, stream.ErrNotComputed
	}
	return desc.Size, nil
}

func (l *plainLayer) Compressed() (io.ReadCloser, error) {
	rc, err := l.content.Open(l.ctx)
	if err != nil {
		l.err = err
		return nil, err
	}
	size := int64(-1)
	if desc, known := l.content.Descriptor(); known {
		size = desc.Size
	}
	body := newSentBody(rc, size, l.watch)
	l.opened = append(l.opened, body)
	return body, nil
}

// close ends all reading of the content, and returns what went wrong with it.
func (l *plainLayer) close() error {
	err := l.err
	for _, body := range l.opened {
		if failed := body.failure(); err == nil {
			err = failed
		}
		body.Close()
	}
	return err
}

func (l *plainLayer) MediaType() (types.MediaType, error) { return types.OCILayer, nil }

var errNotUncompressed = errors.New("an upload takes the bytes as they are")

func (l *plainLayer) DiffID() (v1.Hash, error)             { return v1.Hash{}, errNotUncompressed }
func (l *plainLayer) Uncompressed() (io.ReadCloser, error) { return nil, errNotUncompressed }
