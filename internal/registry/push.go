// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// smallUpload is the largest blob that is sent along with the request that
// opens its upload. A registry that does not do that answers 202 and the bytes
// travel again, which for so few costs less than a round trip.
const smallUpload = 64 << 10

func (r *Repository) pushScopes() access {
	return access{r.name, []string{r.name.Scope(transport.PushScope)}}
}

// Upload puts a blob into the repository. A blob of unknown digest is streamed
// while it is made and hashed (PATCH with chunked transfer coding); any other
// takes one PUT. It does not ask first whether the blob is there: see HasBlob.
func (r *Repository) Upload(ctx context.Context, c Content) error {
	first := true
	return r.host.client.retry(ctx, func(ctx context.Context) error {
		var err error
		if desc, known := c.Descriptor(); known {
			err = r.uploadKnown(ctx, c, desc, first)
			first = false
		} else {
			err = r.uploadStream(ctx, c)
		}
		if lostUpload(err) {
			return &Error{Op: fmt.Sprintf("uploading blob to %s", r.name), Err: errors.New("the registry lost the upload session")}
		}
		return err
	})
}

// arrived reports whether the blob is there although its last request ended in
// err: the answer may have been lost, not the blob. It asks once, because the
// upload as a whole is tried again.
func (r *Repository) arrived(ctx context.Context, digest v1.Hash, err error) bool {
	status := statusOf(err)
	if status == http.StatusTooManyRequests || (status != http.StatusNotFound && !passing(err)) {
		return false
	}
	has, err := r.hasBlob(ctx, digest)
	return err == nil && has
}

// lostUpload reports that the registry no longer knows the upload session: a
// new one may succeed (a registry of several replicas, or one restarted).
func lostUpload(err error) bool {
	var answer *transport.Error
	if !errors.As(err, &answer) {
		return false
	}
	for _, d := range answer.Errors {
		if d.Code == transport.BlobUploadUnknownErrorCode {
			return true
		}
	}
	return false
}

// uploadKnown is one attempt of Upload. Only the first uses a reserved session:
// where a registry lost one, it may have lost them all.
func (r *Repository) uploadKnown(ctx context.Context, c Content, desc v1.Descriptor, first bool) error {
	var location url.URL
	var reserved bool
	var err error
	if first {
		location, reserved = r.takeReserved(ctx)
	}
	if reserved {
		// The session is open already.
	} else if desc.Size <= smallUpload && !r.host.noMonolithicPost.Load() {
		var done bool
		if location, done, err = r.postBlob(ctx, c, desc); err != nil || done {
			return err
		}
		r.host.noMonolithicPost.Store(true)
	} else if location, err = r.openUpload(ctx); err != nil {
		return err
	}
	body, err := openSource(ctx, c)
	if err != nil {
		r.keep(location)
		return err
	}
	return r.commitUpload(ctx, location, desc, body, desc.Size)
}

// openUpload begins an upload session (distribution spec, end-4a).
func (r *Repository) openUpload(ctx context.Context) (url.URL, error) {
	op := fmt.Sprintf("opening an upload to %s", r.name)
	res, err := r.host.send(ctx, request{
		op:     op,
		method: http.MethodPost,
		url:    r.url("blobs/uploads/", nil),
		scopes: r.pushScopes(),
		expect: []int{http.StatusAccepted},
	})
	if err != nil {
		return url.URL{}, err
	}
	finish(res)
	return location(op, res)
}

// postBlob sends the blob with the request that opens its upload (end-4b). It
// reports false with the session's location where the registry only opened
// one.
func (r *Repository) postBlob(ctx context.Context, c Content, desc v1.Descriptor) (url.URL, bool, error) {
	body, err := openSource(ctx, c)
	if err != nil {
		return url.URL{}, false, err
	}
	op := fmt.Sprintf("uploading blob %s to %s", desc.Digest, r.name)
	res, err := r.host.send(ctx, request{
		op:     op,
		method: http.MethodPost,
		url:    r.url("blobs/uploads/", url.Values{"digest": {desc.Digest.String()}}),
		scopes: r.pushScopes(),
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body:   body,
		size:   desc.Size,
		expect: []int{http.StatusCreated, http.StatusAccepted},
	})
	if err != nil && r.arrived(ctx, desc.Digest, err) {
		return url.URL{}, true, nil
	}
	if err != nil {
		return url.URL{}, false, err
	}
	finish(res)
	if res.StatusCode == http.StatusCreated {
		return url.URL{}, true, confirm(op, res, desc.Digest)
	}
	at, err := location(op, res)
	return at, false, err
}

// uploadStream sends a blob whose digest is known only after its last byte.
func (r *Repository) uploadStream(ctx context.Context, c Content) error {
	at, err := r.openUpload(ctx)
	if err != nil {
		return err
	}
	body, err := openSource(ctx, c)
	if err != nil {
		r.keep(at)
		return err
	}
	op := fmt.Sprintf("uploading a blob to %s", r.name)
	res, err := r.host.send(ctx, request{
		op:     op,
		method: http.MethodPatch,
		url:    at,
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
	if at, err = location(op, res); err != nil {
		return err
	}
	desc, known := c.Descriptor()
	if !known {
		return &Error{Op: op, Err: &sourceError{errors.New("its digest is unknown after its end")}}
	}
	return r.commitUpload(ctx, at, desc, http.NoBody, 0)
}

// commitUpload ends an upload session with its last bytes and its digest
// (end-6).
func (r *Repository) commitUpload(ctx context.Context, at url.URL, desc v1.Descriptor, body io.ReadCloser, size int64) error {
	query := at.Query()
	query.Set("digest", desc.Digest.String())
	at.RawQuery = query.Encode()
	op := fmt.Sprintf("uploading blob %s to %s", desc.Digest, r.name)
	res, err := r.host.send(ctx, request{
		op:     op,
		method: http.MethodPut,
		url:    at,
		scopes: r.pushScopes(),
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body:   body,
		size:   size,
		expect: []int{http.StatusCreated, http.StatusNoContent, http.StatusOK},
	})
	if err != nil && r.arrived(ctx, desc.Digest, err) {
		return nil
	}
	if err != nil {
		return err
	}
	finish(res)
	return confirm(op, res, desc.Digest)
}

// PutManifest stores a manifest under a tag or its digest.
func (r *Repository) PutManifest(ctx context.Context, ref string, mediaType types.MediaType, raw []byte) error {
	_, err := r.putManifest(ctx, ref, mediaType, raw)
	return err
}

// putManifest returns the header of the registry's answer.
func (r *Repository) putManifest(ctx context.Context, ref string, mediaType types.MediaType, raw []byte) (http.Header, error) {
	digest, _, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	op := fmt.Sprintf("writing manifest %s to %s", ref, r.name)
	var header http.Header
	err = r.host.client.retry(ctx, func(ctx context.Context) error {
		res, err := r.host.send(ctx, request{
			op:     op,
			method: http.MethodPut,
			url:    r.url("manifests/"+ref, nil),
			scopes: r.pushScopes(),
			header: http.Header{"Content-Type": {string(mediaType)}},
			body:   io.NopCloser(bytes.NewReader(raw)),
			size:   int64(len(raw)),
			expect: []int{http.StatusCreated, http.StatusOK, http.StatusAccepted},
		})
		if err != nil {
			return err
		}
		finish(res)
		header = res.Header
		return confirm(op, res, digest)
	})
	return header, err
}
