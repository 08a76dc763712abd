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

// commitUpload ends an upload session with its last bytes, those of the blob
// from offset on, and its digest (end-6).
func (r *Repository) commitUpload(ctx context.Context, at url.URL, desc v1.Descriptor, body io.ReadCloser, offset int64) error {
	query := at.Query()
	query.Set("digest", desc.Digest.String())
	at.RawQuery = query.Encode()
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if offset > 0 && offset < desc.Size {
		header.Set("Content-Range", fmt.Sprintf("%d-%d", offset, desc.Size-1))
	}
	op := fmt.Sprintf("uploading blob %s to %s", desc.Digest, r.name)
	res, err := r.host.send(ctx, request{
		op:     op,
		method: http.MethodPut,
		url:    at,
		scopes: r.pushScopes(),
		header: header,
		body:   body,
		size:   desc.Size - offset,
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
	// A reference by digest that the bytes do not have is refused for good.
	_, err = describe(ref, nil, raw)
	matches := !errors.Is(err, ErrIntegrity)
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
			raw:    raw,
			expect: []int{http.StatusCreated, http.StatusOK, http.StatusAccepted},
		})
		if err != nil {
			return blobsUnseen(err, matches)
		}
		finish(res)
		header = res.Header
		return confirm(op, res, digest)
	})
	return header, err
}

// blobsUnseen marks a manifest's refusal as passing where it may be that the
// registry does not see the manifest's parts yet: one that was mounted or put
// by a parallel push a moment ago is not there on each of its replicas, or not
// in its cache. docker-registry calls that a digest that does not match, which
// says something else only where the bytes do not match theirs.
func blobsUnseen(err error, matches bool) error {
	var refusal *Error
	var answer *transport.Error
	if !errors.As(err, &refusal) || !errors.As(err, &answer) || refusal.Status != http.StatusBadRequest && refusal.Status != http.StatusNotFound {
		return err
	}
	for _, d := range answer.Errors {
		switch d.Code {
		case transport.ManifestBlobUnknownErrorCode, transport.BlobUnknownErrorCode:
			refusal.unseen = true
		case transport.DigestInvalidErrorCode:
			refusal.unseen = refusal.unseen || matches
		}
	}
	return err
}

func isUnseen(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.unseen
}
