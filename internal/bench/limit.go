// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

// curl sends the bytes of a file to the registry, which nothing can beat: the
// digest is known, and nothing is read before.
func (l *lab) curl(path string) contender {
	return contender{name: "`curl -T`", run: func(ctx context.Context, at place, n int) (usage, error) {
		digest, err := fileDigest(path)
		if err != nil {
			return usage{}, err
		}
		to, err := openSession(ctx, at.to, fmt.Sprintf("curl%d/scorer", n))
		if err != nil {
			return usage{}, err
		}
		query := to.Query()
		query.Set("digest", digest)
		to.RawQuery = query.Encode()
		return l.timed(ctx, command{args: []string{"curl", "-sSf", "-H", "Content-Type: application/octet-stream", "-T", path, to.String()}})
	}}
}

// sha256sum reads and hashes a file, and does nothing else.
func (l *lab) sha256sum(path string) contender {
	return contender{name: "`sha256sum`", run: func(ctx context.Context, _ place, _ int) (usage, error) {
		return l.timed(ctx, command{args: []string{"sha256sum", path}})
	}}
}

// openSession begins an upload.
func openSession(ctx context.Context, host, repo string) (*url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+host+"/v2/"+repo+"/blobs/uploads/", http.NoBody)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	if err := res.Body.Close(); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusAccepted {
		return nil, fmt.Errorf("opening an upload: %s", res.Status)
	}
	return res.Location()
}

func fileDigest(path string) (_ string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), nil
}
