// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/http"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Verify returns a reader of rc that ends in io.EOF only where exactly the
// bytes that desc describes were read; anything else is an error that wraps
// ErrIntegrity.
func Verify(rc io.ReadCloser, desc v1.Descriptor) (io.ReadCloser, error) {
	h := newHash(desc.Digest.Algorithm)
	if h == nil {
		rc.Close()
		return nil, fmt.Errorf("digest %q: unknown algorithm", desc.Digest)
	}
	return &verifier{ReadCloser: rc, desc: desc, hash: h}, nil
}

// confirm compares what a registry says it stored, where it says so in digests
// of want's algorithm, with want.
func confirm(op string, res *http.Response, want v1.Hash) error {
	got, err := v1.NewHash(res.Header.Get("Docker-Content-Digest"))
	if err != nil || got.Algorithm != want.Algorithm || got == want {
		return nil
	}
	return &Error{Op: op, Status: res.StatusCode, Err: fmt.Errorf("%w: sent %s, and the registry says that it stored %s", ErrIntegrity, want, got)}
}

// newHash is nil for an algorithm that the image-spec does not register.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "sha256":
		return sha256.New()
	case "sha512":
		return sha512.New()
	}
	return nil
}

type verifier struct {
	io.ReadCloser
	desc v1.Descriptor
	hash hash.Hash
	n    int64
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	v.hash.Write(p[:n])
	v.n += int64(n)
	if v.n > v.desc.Size {
		return n, fmt.Errorf("blob %s: %w: more than its %d bytes", v.desc.Digest, ErrIntegrity, v.desc.Size)
	}
	if v.n == v.desc.Size && (n > 0 || err == io.EOF) {
		// Before the last byte is handed out: a reader that has them all, such
		// as the registry at the other end of a copy, would complain first.
		if got := hex.EncodeToString(v.hash.Sum(nil)); got != v.desc.Digest.Hex {
			return 0, fmt.Errorf("blob %s: %w: got %s", v.desc.Digest, ErrIntegrity, got)
		}
	}
	if err != io.EOF {
		return n, err
	}
	if v.n < v.desc.Size {
		return n, fmt.Errorf("blob %s: %w: %d of its %d bytes", v.desc.Digest, ErrIntegrity, v.n, v.desc.Size)
	}
	return n, io.EOF
}
