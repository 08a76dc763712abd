// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/layer"
	"github.com/crane-bake/crane-bake/internal/layout"
)

// What of a layer's files is held in memory for the check.
const (
	// maxBound is the size up to which a bound file is; engine.Check reads no
	// larger ones.
	maxBound = 64 << 20
	// maxBoundTotal is that of all bound files in a layer together.
	maxBoundTotal = 256 << 20
	// maxUnbound is that of all others: streams may read small files.
	maxUnbound = 64 << 10
	// maxUnboundTotal is that of all others in a layer together.
	maxUnboundTotal = 16 << 20
)

// A readLayer is a layer that was read to its end, whoever shares it.
type readLayer struct {
	once   sync.Once
	size   int64 // of the descriptor
	diffID v1.Hash
	files  []imageFile       // entries of any type, in order
	held   map[string][]byte // contents by name
	err    error             // a mismatch
	fatal  error             // anything else
}

// blobSize is what is known of a blob that is not read.
type blobSize struct {
	size int64 // -1 where it is not told
	err  error // a mismatch
}

// layer reads a layer, once.
func (v *verifier) layer(ctx context.Context, desc v1.Descriptor) (*readLayer, error) {
	v.mu.Lock()
	l := v.layers[desc.Digest]
	if l == nil {
		l = &readLayer{size: desc.Size, held: map[string][]byte{}}
		v.layers[desc.Digest] = l
	}
	v.mu.Unlock()
	l.once.Do(func() {
		if l.fatal = acquire(ctx, v.remote.moving); l.fatal != nil {
			return
		}
		defer release(v.remote.moving)
		l.read(ctx, v.img, desc, v.bound)
	})
	return l, l.fatal
}

func (l *readLayer) read(ctx context.Context, b *Base, desc v1.Descriptor, bound map[string]bool) {
	var held, unbound int64
	var err error
	l.diffID, err = b.readContent(ctx, desc, func(e layer.Entry) error {
		f := imageFile{Entry: e}
		f.Open = nil
		if e.Type == tar.TypeReg {
			hold := bound["/"+e.Name] && e.Size <= maxBound && held+e.Size <= maxBoundTotal
			if hold {
				held += e.Size
			} else if e.Size <= maxUnbound && unbound+e.Size <= maxUnboundTotal {
				unbound += e.Size
				hold = true
			}
			content, sum, err := hashEntry(e, hold)
			if err != nil {
				return err
			}
			if f.sha256 = sum; hold {
				l.held[e.Name] = content
			} else {
				delete(l.held, e.Name) // of an earlier file of this name
			}
		}
		l.files = append(l.files, f)
		return nil
	})
	if err != nil && ctx.Err() == nil && isMismatch(err) && !errors.Is(err, ErrIntegrity) && !isMissing(err) {
		// Of damaged bytes their digest says more than what a decompressor does.
		if damage := b.intact(ctx, desc); damage != nil {
			err = damage
		}
	}
	switch {
	case err == nil:
	case ctx.Err() == nil && isMismatch(err):
		l.err = err
	default:
		l.fatal = err
	}
}

// intact proves the digest and size of a blob.
func (b *Base) intact(ctx context.Context, desc v1.Descriptor) error {
	rc, err := b.source.blob(ctx, desc)
	if err != nil {
		return err
	}
	defer rc.Close() // was opened for reading only
	_, err = io.Copy(io.Discard, rc)
	return err
}

// hashEntry reads a file and returns its content, where that is to be held, and
// its SHA-256 in hex.
func hashEntry(e layer.Entry, hold bool) ([]byte, string, error) {
	rc, err := e.Open()
	if err != nil {
		return nil, "", err
	}
	defer rc.Close() // of a reader within the layer
	var content bytes.Buffer
	h := sha256.New()
	to := io.Writer(h)
	if hold {
		to = io.MultiWriter(h, &content)
	}
	_, err = io.Copy(to, rc)
	return content.Bytes(), hex.EncodeToString(h.Sum(nil)), err
}

// readAhead reads layers side by side.
func (v *verifier) readAhead(ctx context.Context, descs []v1.Descriptor) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, desc := range descs {
		g.Go(func() error {
			_, err := v.layer(ctx, desc)
			return err
		})
	}
	return g.Wait()
}

// lookFor looks for blobs without reading them.
func (v *verifier) lookFor(ctx context.Context, digests []v1.Hash) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, digest := range digests {
		v.mu.Lock()
		_, known := v.sizes[digest]
		if !known { // what another platform has found stays
			v.sizes[digest] = blobSize{size: -1}
		}
		v.mu.Unlock()
		if known {
			continue
		}
		g.Go(func() error {
			if err := acquire(ctx, v.remote.asking); err != nil {
				return err
			}
			defer release(v.remote.asking)
			size, err := sizeOf(ctx, v.img.source, digest)
			if err != nil && !isMismatch(err) {
				return err
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			v.sizes[digest] = blobSize{size, err}
			return nil
		})
	}
	return g.Wait()
}

// sizeOf is the size of a blob, or -1 where it is not told.
func sizeOf(ctx context.Context, source imageSource, digest v1.Hash) (int64, error) {
	switch s := source.(type) {
	case registrySource:
		return s.repo.BlobSize(ctx, digest)
	case layoutSource:
		rc, err := layout.Blob(s.fsys, digest)
		if err != nil {
			return -1, err
		}
		defer rc.Close() // was opened for reading only
		f, ok := rc.(fs.File)
		if !ok {
			return -1, nil
		}
		info, err := f.Stat()
		if err != nil {
			return -1, err
		}
		return info.Size(), nil
	}
	return -1, nil // an archive of docker save was read when it was opened
}

// isMissing reports whether err is about a part that is not there.
func isMissing(err error) bool {
	return errors.Is(err, ErrNotFound) || errors.Is(err, fs.ErrNotExist)
}
