// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// readLayer reads layer n of an image to its end, proves its digest, size and
// diffID, and calls visit for its entries; see layer.Read. An error of visit's
// own is returned as it is.
func (b *Base) readLayer(ctx context.Context, img *baseImage, n int, visit func(layer.Entry) error) error {
	desc := img.manifest.Layers[n]
	diffID, err := b.readContent(ctx, desc, visit)
	if err == nil && diffID != img.config.diffIDs[n] {
		err = integrityf("uncompressed it is %s, its config says %s", diffID, img.config.diffIDs[n])
	}
	var own *visitError
	switch {
	case errors.As(err, &own):
		return own.err
	case err != nil:
		return &sideError{fmt.Sprintf("layer %d of %d, %s", n+1, len(img.manifest.Layers), desc.Digest), err}
	}
	return nil
}

// visitError is an error of those who look at a layer, not of the layer.
type visitError struct{ err error }

func (e *visitError) Error() string { return e.err.Error() }
func (e *visitError) Unwrap() error { return e.err }

// readContent reads the layer that desc describes to its end, proves its digest
// and size, and returns its diffID; see layer.Read. An error of visit, other
// than of reading an entry, is a visitError. Bytes that are the right ones and
// no layer are ErrIntegrity.
func (b *Base) readContent(ctx context.Context, desc v1.Descriptor, visit func(layer.Entry) error) (v1.Hash, error) {
	rc, err := b.source.blob(ctx, desc)
	if err != nil {
		return v1.Hash{}, err
	}
	defer rc.Close() // was opened for reading only
	var visiting, reading error
	diffID, err := layer.Read(ctx, rc, desc.Size, layer.Limits{}, func(e layer.Entry) error {
		if open := e.Open; open != nil {
			e.Open = func() (io.ReadCloser, error) {
				content, err := open()
				return noting{content, &reading}, err
			}
		}
		visiting = visit(e)
		return visiting
	})
	if visiting != nil && reading == nil {
		return diffID, &visitError{visiting}
	}
	// What the compression leaves behind counts too, and of damaged bytes their
	// digest says more than a decompressor.
	_, rest := io.Copy(io.Discard, rc)
	switch {
	case rest != nil && (err == nil || errors.Is(rest, ErrIntegrity)):
		err = rest
	case rest == nil && err != nil && ctx.Err() == nil && isMismatch(err) && !errors.Is(err, ErrIntegrity):
		err = &integrityError{err}
	}
	return diffID, err
}

// noting keeps the error of a reading.
type noting struct {
	io.ReadCloser
	failed *error
}

func (n noting) Read(p []byte) (int, error) {
	k, err := n.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		*n.failed = err
	}
	return k, err
}

// An imageFile is a file or link that a layer of an image has.
type imageFile struct {
	layer.Entry        // without content
	sha256      string // of a regular file's content, in hex
	layer       int    // number of the layer in the manifest
}

// hashFile reads the content of an entry.
func hashFile(e layer.Entry, n int) (imageFile, error) {
	f := imageFile{Entry: e, layer: n}
	f.Open = nil
	if e.Type != tar.TypeReg {
		return f, nil
	}
	rc, err := e.Open()
	if err != nil {
		return f, err
	}
	defer rc.Close() // of a reader within the layer
	h := sha256.New()
	if _, err := io.Copy(h, rc); err != nil {
		return f, err
	}
	f.sha256 = hex.EncodeToString(h.Sum(nil))
	return f, nil
}

// packed is the file in the words of the layer that it is in.
func (f imageFile) packed() layer.File {
	return layer.File{Name: f.Name, Type: f.Type, Size: f.Size, SHA256: f.sha256, Linkname: f.Linkname}
}
