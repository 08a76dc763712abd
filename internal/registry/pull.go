// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// MaxManifest is the largest manifest that is read: the distribution spec asks
// registries to take at least 4 MiB, and they take little more.
const MaxManifest = 8 << 20

// manifestTypes is every kind of manifest that a registry may answer with.
var manifestTypes = []string{
	string(types.OCIImageIndex), string(types.OCIManifestSchema1),
	string(types.DockerManifestList), string(types.DockerManifestSchema2),
	string(types.DockerManifestSchema1Signed), string(types.DockerManifestSchema1),
}

var acceptManifests = strings.Join(manifestTypes, ",")

func (r *Repository) pullScopes() access {
	return access{r.name, []string{r.name.Scope(transport.PullScope)}}
}

// Manifest reads the manifest that the tag or digest ref names, and verifies
// it against the digest that was asked for or that the registry stated.
func (r *Repository) Manifest(ctx context.Context, ref string) (v1.Descriptor, []byte, error) {
	op := fmt.Sprintf("reading manifest %s of %s", ref, r.name)
	var desc v1.Descriptor
	var raw []byte
	err := r.host.client.retry(ctx, func(ctx context.Context) error {
		res, err := r.host.send(ctx, request{
			op:     op,
			method: http.MethodGet,
			url:    r.url("manifests/"+ref, nil),
			scopes: r.pullScopes(),
			header: http.Header{"Accept": {acceptManifests}},
			expect: []int{http.StatusOK},
			early:  true,
		})
		if err != nil {
			return err
		}
		defer res.Body.Close()
		raw, err = io.ReadAll(io.LimitReader(res.Body, MaxManifest+1))
		if err != nil {
			return &Error{Op: op, Err: err}
		}
		if desc, err = describe(ref, res.Header, raw); err != nil {
			return &Error{Op: op, Status: res.StatusCode, Err: err}
		}
		return nil
	})
	return desc, raw, err
}

// describe makes the descriptor of a manifest and checks it against its
// digests.
func describe(ref string, header http.Header, raw []byte) (v1.Descriptor, error) {
	if len(raw) > MaxManifest {
		return v1.Descriptor{}, fmt.Errorf("larger than %d bytes", MaxManifest)
	}
	for _, want := range []string{ref, header.Get("Docker-Content-Digest")} {
		algorithm, sum, ok := strings.Cut(want, ":")
		h := newHash(algorithm)
		if !ok || h == nil {
			continue // a tag, or nothing that could be checked
		}
		h.Write(raw)
		if got := hex.EncodeToString(h.Sum(nil)); got != sum {
			return v1.Descriptor{}, fmt.Errorf("%w: got %s:%s, want %s", ErrIntegrity, algorithm, got, want)
		}
	}
	digest, size, err := v1.SHA256(bytes.NewReader(raw))
	if err != nil {
		return v1.Descriptor{}, err
	}
	mediaType, err := mediaTypeOf(header, raw)
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{MediaType: types.MediaType(mediaType), Size: size, Digest: digest}, nil
}

// mediaTypeOf is the media type that a manifest states, or else that of its
// answer. It refuses a manifest that its registry calls another kind of
// manifest: whoever believes the one would read something else than who
// believes the other (CVE-2021-41190). Lazy servers call it text/plain or the
// like, which says nothing.
func mediaTypeOf(header http.Header, raw []byte) (string, error) {
	served, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	served = strings.ToLower(strings.TrimSpace(served)) // RFC 9110, 8.3.1
	var own struct {
		MediaType string `json:"mediaType"`
	}
	if json.Unmarshal(raw, &own) != nil || own.MediaType == "" {
		return served, nil
	}
	if own.MediaType != served && slices.Contains(manifestTypes, served) {
		return "", &ambiguousError{served, own.MediaType}
	}
	return own.MediaType, nil
}

// Head asks for the digest of the manifest that ref names without reading it.
func (r *Repository) Head(ctx context.Context, ref string) (v1.Hash, error) {
	op := fmt.Sprintf("looking for manifest %s of %s", ref, r.name)
	var digest v1.Hash
	err := r.host.client.retry(ctx, func(ctx context.Context) error {
		res, err := r.host.send(ctx, request{
			op:     op,
			method: http.MethodHead,
			url:    r.url("manifests/"+ref, nil),
			scopes: r.pullScopes(),
			header: http.Header{"Accept": {acceptManifests}},
			expect: []int{http.StatusOK},
		})
		if err != nil {
			return err
		}
		finish(res)
		if digest, err = v1.NewHash(res.Header.Get("Docker-Content-Digest")); err != nil {
			return &Error{Op: op, Status: res.StatusCode, Err: fmt.Errorf("no valid digest in the answer: %w", err)}
		}
		return nil
	})
	return digest, err
}

// HasBlob reports whether the repository holds the blob.
func (r *Repository) HasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	found := false
	err := r.host.client.retry(ctx, func(ctx context.Context) (err error) {
		found, err = r.hasBlob(ctx, digest)
		return err
	})
	return found, err
}

// hasBlob is one attempt of HasBlob.
func (r *Repository) hasBlob(ctx context.Context, digest v1.Hash) (bool, error) {
	res, err := r.headBlob(ctx, digest, http.StatusOK, http.StatusNotFound)
	if err != nil {
		return false, err
	}
	return res.StatusCode == http.StatusOK, nil
}

// headBlob asks for a blob without reading it (end-2). The answer is drained.
func (r *Repository) headBlob(ctx context.Context, digest v1.Hash, expect ...int) (*http.Response, error) {
	res, err := r.host.send(ctx, request{
		op:     fmt.Sprintf("looking for blob %s in %s", digest, r.name),
		method: http.MethodHead,
		url:    r.url("blobs/"+digest.String(), nil),
		scopes: r.pullScopes(),
		expect: expect,
	})
	if err != nil {
		return nil, err
	}
	finish(res)
	return res, nil
}
