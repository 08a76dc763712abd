// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"net/http"
	"strings"
)

// The registered algorithms of the image-spec, descriptor.md.
const (
	sha256Algorithm = "sha256"
	sha512Algorithm = "sha512"
)

// newHash is nil for an algorithm that is not supported.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case sha256Algorithm:
		return sha256.New()
	case sha512Algorithm:
		return sha512.New()
	}
	return nil
}

// A digest is a valid digest of a supported algorithm.
type digest string

func parseDigest(s string) (digest, error) {
	algorithm, sum, _ := strings.Cut(s, ":")
	h := newHash(algorithm)
	if h == nil || len(sum) != hex.EncodedLen(h.Size()) || strings.Trim(sum, "0123456789abcdef") != "" {
		return "", refusal(http.StatusBadRequest, codeDigestInvalid, "invalid or unsupported digest").about(s)
	}
	return digest(s), nil
}

func digestOf(algorithm string, h hash.Hash) digest {
	return digest(algorithm + ":" + hex.EncodeToString(h.Sum(nil)))
}

func digestBytes(algorithm string, data []byte) digest {
	h := newHash(algorithm)
	h.Write(data)
	return digestOf(algorithm, h)
}

func (d digest) algorithm() string {
	algorithm, _, _ := strings.Cut(string(d), ":")
	return algorithm
}
