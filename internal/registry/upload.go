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
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Upload puts a blob into the repository. A blob of unknown digest is streamed
// while it is made and hashed (PATCH with chunked transfer coding); any other
// takes one PUT. It does not ask first whether the blob is there: see HasBlob.
//
// An upload that broke off goes on where the registry says that it was, with
// the content made anew up to there; where the registry no longer knows the
// session, it starts again. Retries are counted from the last time that it got
// on. A registry that answers what the distribution spec does not know is sent
// blobs as go-containerregistry does from then on.
func (r *Repository) Upload(ctx context.Context, c Content) error {
	if _, plainly := r.host.plain.Load(r.name.RepositoryStr()); plainly {
		return r.uploadPlainly(ctx, c)
	}
	u := &upload{repo: r, content: c, first: true}
	err := r.host.client.retryWhile(ctx, u.gotOn, u.attempt)
	if !outOfSpec(err) {
		return err
	}
	if _, noted := r.host.plain.LoadOrStore(r.name.RepositoryStr(), true); !noted {
		r.host.client.opts.Logger.Info("blobs are sent as go-containerregistry does", "to", r.name, "because", err)
	}
	if plainly := r.uploadPlainly(ctx, c); plainly == nil || ctx.Err() != nil || !isNetwork(plainly) {
		return plainly
	}
	return err // the cause
}

// An upload is a blob on its way. It keeps what one attempt leaves for the next.
type upload struct {
	repo    *Repository
	content Content
	first   bool // no attempt was made yet

	broken  bool    // the session at was open when an attempt failed
	refused bool    // the session at was open when it took nothing, for lack of a token
	at      url.URL // of the session
	offset  int64   // bytes that the registry had when it was asked last
	moved   bool    // offset has grown since gotOn was asked
	resumed bool    // the session has bytes of several attempts
}

// gotOn reports whether the registry has got more bytes since it was asked
// last.
func (u *upload) gotOn() bool {
	moved := u.moved
	u.moved = false
	return moved
}

func (u *upload) attempt(ctx context.Context) error {
	if u.broken {
		if err := u.ask(ctx); err != nil {
			return err
		}
	}
	desc, known := u.content.Descriptor()
	if !u.broken && !u.refused {
		done, err := u.open(ctx, desc, known)
		if done || err != nil {
			return err
		}
	}
	u.broken, u.refused = false, false
	body, err := u.rest(ctx)
	if err != nil {
		u.repo.keep(u.at)
		return err
	}
	if known {
		err = u.repo.commitUpload(ctx, u.at, desc, body, u.offset)
	} else {
		err = u.stream(ctx, body)
	}
	return u.after(err)
}

// after is what an attempt that had a session leaves behind.
func (u *upload) after(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errBodySpent):
		// There is a new token now, and it may be good for one request only.
		u.refused, u.resumed = true, true
		return err
	case sessionLost(err):
		// A new session may succeed: the registry has several replicas, or was
		// restarted.
		return &Error{Op: fmt.Sprintf("uploading blob to %s", u.repo.name), Err: errors.New("the registry lost the upload session")}
	case u.resumed && slices.Contains([]int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable}, statusOf(err)):
		// It did not have what it said, or cannot go on. A whole upload may do.
		u.repo.host.client.opts.Logger.Info("an upload starts again", "to", u.repo.name, "because", err)
		return &Error{Op: fmt.Sprintf("uploading blob to %s", u.repo.name), Err: errNotTakenUp}
	}
	// What the registry refused is over; what broke off may go on.
	u.broken = passing(err) && statusOf(err) == 0
	return err
}

var errNotTakenUp = errors.New("the registry did not go on with an upload that broke off")

// open opens a session, or sends a small blob along with the request that would
// and reports true.
func (u *upload) open(ctx context.Context, desc v1.Descriptor, known bool) (done bool, err error) {
	r := u.repo
	reserved := false
	u.offset, u.resumed = 0, false
	if u.first && known {
		// Where a registry lost one reserved session, it may have lost them all.
		u.at, reserved = r.takeReserved(ctx)
	}
	u.first = false
	switch {
	case reserved:
		return false, nil
	case known && desc.Size <= smallUpload && !r.host.noMonolithicPost.Load():
		if u.at, done, err = r.postBlob(ctx, u.content, desc); err != nil || done {
			return done, err
		}
		r.host.noMonolithicPost.Store(true)
		return false, nil
	}
	u.at, err = r.openUpload(ctx)
	return false, err
}

// rest is the content from offset on.
func (u *upload) rest(ctx context.Context) (io.ReadCloser, error) {
	if desc, known := u.content.Descriptor(); known && u.offset > 0 && u.offset == desc.Size {
		return http.NoBody, nil // only the end was lost
	}
	body, err := openSource(ctx, u.content)
	if err != nil || u.offset == 0 {
		return body, err
	}
	if _, err := io.CopyN(io.Discard, body, u.offset); err != nil {
		body.Close() // was opened for reading only
		return nil, &sourceError{fmt.Errorf("reading up to where the upload broke off: %w", err)}
	}
	u.repo.host.client.opts.Logger.Info("going on with an upload", "to", u.repo.name, "from", u.offset)
	u.resumed = true
	return body, nil
}

// ask finds out what the registry has of a session that broke off (distribution
// spec, end-13). A session that is over leaves nothing to take up.
func (u *upload) ask(ctx context.Context) error {
	op := fmt.Sprintf("asking for an upload to %s", u.repo.name)
	res, err := u.repo.host.send(ctx, request{
		op:     op,
		method: http.MethodGet,
		url:    u.at,
		scopes: u.repo.pushScopes(),
		expect: []int{http.StatusNoContent, http.StatusOK, http.StatusAccepted},
	})
	if err != nil {
		if passing(err) {
			return err
		}
		u.broken = false
		return nil
	}
	finish(res)
	// An empty session has the range 0-0, like one with a single byte.
	_, last, ok := strings.Cut(strings.TrimPrefix(res.Header.Get("Range"), "bytes="), "-")
	end, err := strconv.ParseInt(last, 10, 64)
	at, locErr := location(op, res)
	if desc, known := u.content.Descriptor(); !ok || err != nil || end <= 0 || end+1 < u.offset || known && end >= desc.Size || locErr != nil {
		u.broken = false
		return nil
	}
	u.moved = end+1 > u.offset
	u.at, u.offset = at, end+1
	return nil
}

// stream sends a blob whose digest is known only after its last byte.
func (u *upload) stream(ctx context.Context, body io.ReadCloser) error {
	r := u.repo
	op := fmt.Sprintf("uploading a blob to %s", r.name)
	res, err := r.host.send(ctx, request{
		op:     op,
		method: http.MethodPatch,
		url:    u.at,
		scopes: r.pushScopes(),
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body:   body,
		size:   -1,
		expect: []int{http.StatusAccepted, http.StatusNoContent, http.StatusCreated},
	})
	if err != nil {
		return err
	}
	finish(res)
	at, err := location(op, res)
	if err != nil {
		return err
	}
	u.at = at
	desc, known := u.content.Descriptor()
	if !known {
		return &Error{Op: op, Err: &sourceError{errors.New("its digest is unknown after its end")}}
	}
	return r.commitUpload(ctx, u.at, desc, http.NoBody, desc.Size)
}

// sessionLost reports that the registry does not know a session: by the code for
// that, or by a 404 that says nothing else, as a proxy's.
func sessionLost(err error) bool {
	var answer *transport.Error
	return hasCode(err, transport.BlobUploadUnknownErrorCode) ||
		statusOf(err) == http.StatusNotFound && errors.As(err, &answer) && len(answer.Errors) == 0
}

// hasCode reports whether a registry's answer has the error code.
func hasCode(err error, code transport.ErrorCode) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, d := range answer.Errors {
		if d.Code == code {
			return true
		}
	}
	return false
}
