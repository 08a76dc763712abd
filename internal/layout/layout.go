// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package layout reads and writes images kept in files: OCI image layouts in a
// directory or in one tar, and the archives of docker save and docker load.
//
// Writers leave the destination as it was until Commit: blobs of a directory
// appear under names that nothing refers to yet, and an archive grows beside
// its final name. An archive is written in one pass although the digest in a
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
)

// ErrNotFound is wrapped where a file, an image or a blob is not there.
var ErrNotFound = fs.ErrNotExist

// A Writer stores an image's blobs and manifests. Its methods may be called
// from several goroutines.
type Writer interface {
	// Has reports whether the blob is there already.
	Has(digest v1.Hash) bool
	// Put stores the blob that r yields and returns its digest and size.
	Put(ctx context.Context, r io.Reader) (v1.Descriptor, error)
	// Commit makes the image visible as a whole under every tag.
	Commit(image Image, tags []string) error
	// Abort removes what was written; after Commit it does nothing.
	Abort()
}

// Image is what Commit makes visible.
type Image struct {
	Top       v1.Descriptor
	Manifests []Manifest // of single images, children of Top or Top itself
}

// Manifest is one platform's image.
type Manifest struct {
	Config v1.Descriptor
	Layers []v1.Descriptor
}

// blobName is the path of a blob in an OCI image layout.
func blobName(h v1.Hash) string { return "blobs/" + h.Algorithm + "/" + h.Hex }

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
	f, err := fsys.Open(blobName(digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("blob %s: %w", digest, ErrNotFound)
	}
	return f, err
}

// refName is the annotation that tags an entry of index.json (OCI image-spec,
// annotations.md).
const refName = "org.opencontainers.image.ref.name"

// Find returns the descriptor that tag names in the index.json of the OCI
// image layout in fsys. An empty tag is right where there is only one image.
func Find(fsys fs.FS, tag string) (v1.Descriptor, error) {
	if _, err := fs.Stat(fsys, "oci-layout"); err != nil {
		return v1.Descriptor{}, errors.New("not an OCI image layout: it has no file oci-layout")
	}
	index, err := readIndex(fsys)
	if err != nil {
		return v1.Descriptor{}, err
	}
	var tags []string
	for _, d := range index.Manifests {
		name := d.Annotations[refName]
		if tag != "" && (name == tag || d.Digest.String() == tag) {
			return d, nil
		}
		tags = append(tags, fmt.Sprintf("%q", name))
	}
	switch {
	case tag != "":
		return v1.Descriptor{}, fmt.Errorf("tag %q: %w: the layout holds %s", tag, ErrNotFound, strings.Join(tags, ", "))
	case len(index.Manifests) == 1:
		return index.Manifests[0], nil
	case len(index.Manifests) == 0:
		return v1.Descriptor{}, fmt.Errorf("the layout holds no image: %w", ErrNotFound)
	}
	return v1.Descriptor{}, fmt.Errorf("the layout holds %d images; name one of %s", len(tags), strings.Join(tags, ", "))
}

func readIndex(fsys fs.FS) (*v1.IndexManifest, error) {
	f, err := fsys.Open("index.json")
	if err != nil {
		return nil, fmt.Errorf("not an OCI image layout: %w", err)
	}
	defer f.Close()
	index, err := v1.ParseIndexManifest(f)
	if err != nil {
		return nil, fmt.Errorf("reading index.json: %w", err)
	}
	return index, nil
}
