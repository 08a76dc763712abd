// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Archive writes an OCI image layout in one tar, and with it, where asked, the
// manifest.json that docker load and podman load read.
type Archive struct {
	path   string
	docker bool

	mu     sync.Mutex // one blob at a time: a tar has one end
	tmp    *os.File
	end    int64
	stored map[v1.Hash]bool
	done   bool
}

// CreateArchive makes a writer for the archive in the file name, which Commit
// replaces. With docker it is a docker-archive of one platform.
func CreateArchive(name string, docker bool) (*Archive, error) {
	path, err := resolved(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		info = nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is %w", name, errNotRegular)
	}
	tmp, err := createTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return nil, err
	}
	a := &Archive{path: path, docker: docker, tmp: tmp, stored: map[v1.Hash]bool{}}
	if info != nil {
		if err := tmp.Chmod(info.Mode().Perm()); err != nil {
			a.Abort()
			return nil, err
		}
	}
	// Skopeo unpacks archives, and as a user other than root it cannot when it
	// has to make the directories itself: it would give them to root.
	for _, dir := range []string{"blobs/", "blobs/sha256/"} {
		if err := a.mkdir(dir); err != nil {
			a.Abort()
			return nil, err
		}
	}
	return a, nil
}

// resolved is the file that name stands for, through symbolic links, even where
// the last one leads to nothing yet.
func resolved(name string) (string, error) {
	for range 40 {
		target, err := os.Readlink(name)
		if err != nil { // it is no link
			return name, nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(name), target)
		}
		name = target
	}
	return "", fmt.Errorf("%s: too many levels of symbolic links", name)
}

func (a *Archive) mkdir(name string) error {
	hdr := &tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	header, err := headerBlock(hdr)
	if err != nil {
		return err
	}
	_, err = a.tmp.WriteAt(header, a.end)
	a.end += tarBlock
	return err
}

// Has reports whether the blob was put into the archive.
func (a *Archive) Has(_ context.Context, desc v1.Descriptor) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored[desc.Digest], nil
}

const tarBlock = 512

// Put appends a blob: room for a header, the bytes, and then the header, which
// holds the digest.
func (a *Archive) Put(ctx context.Context, r io.Reader, algorithm string) (desc v1.Descriptor, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	defer func() {
		if err != nil {
			// What is left of the blob would become the padding of the next.
			err = errors.Join(err, a.tmp.Truncate(a.end))
		}
	}()
	if _, err := a.tmp.Seek(a.end+tarBlock, io.SeekStart); err != nil {
		return v1.Descriptor{}, err
	}
	if desc, err = copyHashed(ctx, a.tmp, r, algorithm); err != nil {
		return v1.Descriptor{}, err
	}
	if a.stored[desc.Digest] {
		return desc, a.tmp.Truncate(a.end) // drop the copy
	}
	header, err := tarHeader(blobName(desc.Digest), desc.Size)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if _, err := a.tmp.WriteAt(header, a.end); err != nil {
		return v1.Descriptor{}, err
	}
	a.end += tarBlock + (desc.Size+tarBlock-1)/tarBlock*tarBlock
	a.stored[desc.Digest] = true
	return desc, nil
}

// tarHeader is the one block of header that a regular file of 8 GiB and more
// needs in GNU format, and a smaller one in USTAR.
func tarHeader(name string, size int64) ([]byte, error) {
	hdr := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	if size >= 1<<33 {
		hdr.Format = tar.FormatGNU
	}
	return headerBlock(hdr)
}

func headerBlock(hdr *tar.Header) ([]byte, error) {
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(hdr); err != nil {
		return nil, err
	}
	if b.Len() != tarBlock {
		return nil, fmt.Errorf("tar header of %s takes %d bytes", hdr.Name, b.Len())
	}
	return b.Bytes(), nil
}

// Commit writes the index and gives the archive its name.
func (a *Archive) Commit(ctx context.Context, image Image, tags []string) error {
	listed, err := image.entries(ctx, tags)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	var entries []v1.Descriptor
	for _, e := range listed {
		entries = append(entries, e.tagged())
	}
	if a.docker {
		for i, t := range tags {
			// What docker save writes, and docker load with containerd's image
			// store reads.
			entries[i].Annotations = map[string]string{"io.containerd.image.name": t, refName: tagOf(t)}
		}
	}
	index, err := json.Marshal(&v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: entries})
	if err != nil {
		return err
	}
	files := []struct {
		name    string
		content []byte
	}{{indexName, index}, {markerName, []byte(markerContent)}}
	if a.docker {
		manifest, err := dockerManifest(image, tags)
		if err != nil {
			return err
		}
		files = append(files, struct {
			name    string
			content []byte
		}{"manifest.json", manifest})
	}
	if _, err := a.tmp.Seek(a.end, io.SeekStart); err != nil {
		return err
	}
	w := tar.NewWriter(a.tmp)
	for _, f := range files {
		hdr := &tar.Header{Typeflag: tar.TypeReg, Name: f.name, Size: int64(len(f.content)), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
		if err := w.WriteHeader(hdr); err != nil {
			return err
		}
		if _, err := w.Write(f.content); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	if err := a.tmp.Close(); err != nil {
		return err
	}
	if err := os.Rename(a.tmp.Name(), a.path); err != nil {
		return err
	}
	a.done = true
	return nil
}

// Abort removes the unfinished archive.
func (a *Archive) Abort() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.done {
		a.tmp.Close()
		os.Remove(a.tmp.Name())
	}
}

// DockerImage is an entry of the manifest.json of a docker-archive.
type DockerImage struct {
	Config   string
	RepoTags []string
	Layers   []string
}

func dockerManifest(image Image, tags []string) ([]byte, error) {
	if len(image.Manifests) != 1 {
		return nil, errors.New("a docker-archive holds one platform; choose one")
	}
	m := image.Manifests[0]
	entry := DockerImage{Config: blobName(m.Config.Digest), RepoTags: tags}
	for _, l := range m.Layers {
		entry.Layers = append(entry.Layers, blobName(l.Digest))
	}
	return json.Marshal([]DockerImage{entry})
}

// tagOf is the tag in a REPO:TAG.
func tagOf(ref string) string {
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		return ref[i+1:]
	}
	return ref
}
