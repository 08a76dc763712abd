// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package layout reads and writes images kept in files: OCI image layouts in a
// directory or in one tar, and the archives of docker save and docker load.
//
// Writers leave the destination as it was until Commit: blobs of a directory
// wait where nobody else looks for them, and an archive grows beside its final
// name. An archive is written in one pass although the digest in a
// blob's name is known only after its bytes: its tar header is filled in
// afterwards.
package layout

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// ErrNotFound is wrapped where a file, an image or a blob is not there.
var ErrNotFound = fs.ErrNotExist

// ErrNotRegular is wrapped where a pipe, a device or the like is in the place of
// a file.
var ErrNotRegular = errors.New("not a regular file")

// A Writer stores an image's blobs and manifests. Its methods may be called
// from several goroutines.
type Writer interface {
	// Has reports whether the blob is there already, with its size and its
	// digest. It fails only where ctx ends.
	Has(ctx context.Context, desc v1.Descriptor) (bool, error)
	// Put stores the blob that r yields and returns its digest, by the
	// algorithm "sha256" or "sha512", and its size.
	Put(ctx context.Context, r io.Reader, algorithm string) (v1.Descriptor, error)
	// Commit makes the image visible as a whole under every tag.
	Commit(ctx context.Context, image Image, tags []string) error
	// Abort removes what was written; after a Commit that succeeded it does
	// nothing.
	Abort()
}

// Image is what Commit makes visible.
type Image struct {
	Top       v1.Descriptor
	Manifests []Manifest // of single images, children of Top or Top itself
	// Attach, unless it is nil, returns what belongs to Top and has tags of its
	// own. It may read the layout and put blobs: no other writer changes
	// index.json until Commit has added the entries.
	Attach func(ctx context.Context) ([]Entry, error)
}

// Manifest is one platform's image.
type Manifest struct {
	Config v1.Descriptor
	Layers []v1.Descriptor
}

// blobName is the path of a blob in an OCI image layout.
func blobName(h v1.Hash) string { return blobDir(h.Algorithm) + h.Hex }

// blobDir is the directory of the blobs whose digests are by the algorithm.
func blobDir(algorithm string) string { return "blobs/" + algorithm + "/" }

// openRegular opens a file that is one: to open a named pipe may take for ever.
func openRegular(fsys fs.FS, name string) (fs.File, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %w", name, ErrNotRegular)
	}
	return fsys.Open(name)
}

// OpenDir opens the directory dir, without following links that lead out.
func OpenDir(dir string) (fs.FS, io.Closer, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, nil, err
	}
	return root.FS(), root, nil
}

// Blob opens a blob of the OCI image layout in fsys.
func Blob(fsys fs.FS, digest v1.Hash) (io.ReadCloser, error) {
	f, err := openRegular(fsys, blobName(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", digest, ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// attachment is a tag for what belongs to an image: the referrers tag of the
// distribution spec, and those of signatures and the like made from it.
var attachment = lazyregexp.New(`^sha256-[0-9a-f]{64}(\.[a-z]+)?$`)

// Find returns the descriptor that tag names in the index.json of the OCI
// image layout in fsys. An empty tag is right where there is only one image,
// whatever is attached to it.
func Find(fsys fs.FS, tag string) (v1.Descriptor, error) {
	entries, err := Entries(fsys)
	if err != nil {
		return v1.Descriptor{}, err
	}
	var tags []string
	var images []Entry
	for _, e := range entries {
		if tag != "" && (e.Tag == tag || e.Digest.String() == tag) {
			return e.Descriptor, nil
		}
		if !attachment().MatchString(e.Tag) {
			images = append(images, e)
			tags = append(tags, fmt.Sprintf("%q", e.Tag))
		}
	}
	switch {
	case tag != "":
		return v1.Descriptor{}, fmt.Errorf("tag %q: %w: the layout holds %s", tag, ErrNotFound, strings.Join(tags, ", "))
	case len(images) == 1:
		return images[0].Descriptor, nil
	case len(images) == 0:
		return v1.Descriptor{}, fmt.Errorf("the layout holds no image: %w", ErrNotFound)
	}
	return v1.Descriptor{}, fmt.Errorf("the layout holds %d images; name one of %s", len(tags), strings.Join(tags, ", "))
}
