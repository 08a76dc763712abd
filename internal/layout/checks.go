// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/ctxio"
)

// Checks remembers which blobs of image layouts were found to be what their
// digests say, so that a run reads each of them once. A blob that was touched
// since is read again. Its methods may be called from several goroutines.
type Checks struct {
	mu    sync.Mutex
	blobs map[string]*check // by path
}

// check is what is known of one blob.
type check struct {
	turn   chan struct{} // holds an element while somebody reads the blob
	intact fs.FileInfo   // of the file that was read; nil before
}

// NewChecks returns Checks that know of nothing.
func NewChecks() *Checks { return &Checks{blobs: map[string]*check{}} }

// Holds reports whether the image layout in dir has the blob that desc
// describes, with that size and that digest. It fails only where ctx ends: a
// blob that cannot be read is one that is not there.
func (c *Checks) Holds(ctx context.Context, dir string, desc v1.Descriptor) (bool, error) {
	fsys, closer, err := OpenDir(dir)
	if err != nil {
		return false, nil
	}
	defer closer.Close() // was opened for reading only
	info, err := fs.Stat(fsys, blobName(desc.Digest))
	if err != nil || !info.Mode().IsRegular() || info.Size() != desc.Size {
		return false, nil
	}
	known := c.of(dir, desc.Digest)
	select {
	case known.turn <- struct{}{}:
		defer func() { <-known.turn }()
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	if sameContent(known.intact, info) {
		return true, nil
	}
	got, err := digestOf(ctx, fsys, desc.Digest)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	if err != nil || got != desc.Digest {
		return false, nil
	}
	known.intact = info
	return true, nil
}

// wrote notes that the blob was just written to the layout in dir.
func (c *Checks) wrote(dir string, digest v1.Hash) {
	known := c.of(dir, digest)
	select {
	case known.turn <- struct{}{}:
		defer func() { <-known.turn }()
	default:
		return // somebody reads it anyway
	}
	if info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(blobName(digest)))); err == nil {
		known.intact = info
	}
}

func (c *Checks) of(dir string, digest v1.Hash) *check {
	c.mu.Lock()
	defer c.mu.Unlock()
	name := filepath.Join(dir, filepath.FromSlash(blobName(digest)))
	known, ok := c.blobs[name]
	if !ok {
		known = &check{turn: make(chan struct{}, 1)}
		c.blobs[name] = known
	}
	return known
}

// sameContent reports whether nobody wrote to the file between was and is.
func sameContent(was, is fs.FileInfo) bool {
	return was != nil && os.SameFile(was, is) && was.Size() == is.Size() && was.ModTime().Equal(is.ModTime())
}

// digestOf is the digest that the blob has in truth.
func digestOf(ctx context.Context, fsys fs.FS, digest v1.Hash) (got v1.Hash, err error) {
	f, err := fsys.Open(blobName(digest))
	if err != nil {
		return got, err
	}
	desc, err := copyHashed(ctx, io.Discard, f, digest.Algorithm)
	return desc.Digest, errors.Join(err, f.Close())
}

// copyHashed copies r to w and returns the digest and the size of what it
// copied.
func copyHashed(ctx context.Context, w io.Writer, r io.Reader, algorithm string) (v1.Descriptor, error) {
	h, err := v1.Hasher(algorithm)
	if err != nil {
		return v1.Descriptor{}, err
	}
	n, err := io.CopyBuffer(io.MultiWriter(w, h), ctxio.Reader(ctx, r), make([]byte, 256<<10))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{Size: n, Digest: v1.Hash{Algorithm: algorithm, Hex: hex.EncodeToString(h.Sum(nil))}}, nil
}
