// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"sync"

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
	dirs   map[string]bool
	stored map[v1.Hash]bool
	done   bool
}

// CreateArchive makes a writer for the archive in the file name, which Commit
// replaces; the mode of the file stays, and links lead to it. The error wraps
// ErrNotRegular where name is that of a device or the like. With docker it is a
// docker-archive of one platform.
func CreateArchive(name string, docker bool) (*Archive, error) {
	path, mode, err := replaceable(name)
	if err != nil {
		return nil, err
	}
	tmp, err := createBeside(path)
	if err != nil {
		return nil, err
	}
	a := &Archive{path: path, docker: docker, tmp: tmp, dirs: map[string]bool{}, stored: map[v1.Hash]bool{}}
	if mode != 0 {
		if err := tmp.Chmod(mode); err != nil {
			a.Abort()
			return nil, err
		}
	}
	// Skopeo unpacks archives, and as a user other than root it cannot when it
	// has to make the directories itself: it would give them to root.
	for _, dir := range []string{"blobs/", blobDir("sha256")} {
		if err := a.mkdir(dir); err != nil {
			a.Abort()
			return nil, err
		}
	}
	return a, nil
}

func (a *Archive) mkdir(name string) error {
	header, err := dirHeader(name)
	if err != nil {
		return err
	}
	if _, err := a.tmp.WriteAt(header, a.end); err != nil {
		return err
	}
	a.end += tarBlock
	a.dirs[name] = true
	return nil
}

// Has reports whether the blob was put into the archive.
func (a *Archive) Has(_ context.Context, desc v1.Descriptor) (bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.stored[desc.Digest], nil
}

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
	start := a.end
	if !a.dirs[blobDir(algorithm)] {
		start += tarBlock
	}
	content := start + headerSize(algorithm)
	if _, err := a.tmp.Seek(content, io.SeekStart); err != nil {
		return v1.Descriptor{}, err
	}
	if desc, err = copyHashed(ctx, a.tmp, r, algorithm); err != nil {
		return v1.Descriptor{}, err
	}
	if a.stored[desc.Digest] {
		return desc, a.tmp.Truncate(a.end) // drop the copy
	}
	header, err := blobHeader(desc)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if _, err := a.tmp.WriteAt(header, start); err != nil {
		return v1.Descriptor{}, err
	}
	if start > a.end {
		if err := a.mkdir(blobDir(algorithm)); err != nil {
			return v1.Descriptor{}, err
		}
	}
	a.end = content + (desc.Size+tarBlock-1)/tarBlock*tarBlock
	a.stored[desc.Digest] = true
	return desc, nil
}

// Commit writes the index and gives the archive its name.
func (a *Archive) Commit(ctx context.Context, image Image, tags []string) error {
	entries, err := image.entries(ctx, tags) // which may put blobs
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	index, err := a.index(entries, tags)
	if err != nil {
		return err
	}
	files := []tarFile{{indexName, index}, {markerName, []byte(markerContent)}}
	if a.docker {
		manifest, err := dockerManifest(image, tags)
		if err != nil {
			return err
		}
		files = append(files, tarFile{"manifest.json", manifest})
	}
	if _, err := a.tmp.Seek(a.end, io.SeekStart); err != nil {
		return err
	}
	if err := writeTar(a.tmp, files); err != nil {
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

// index is the index.json of the archive.
func (a *Archive) index(entries []Entry, tags []string) ([]byte, error) {
	index := v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	for _, e := range entries {
		index.Manifests = append(index.Manifests, e.tagged())
	}
	if a.docker {
		for i, t := range tags {
			// What docker save writes, and docker load with containerd's image
			// store reads.
			index.Manifests[i].Annotations = map[string]string{"io.containerd.image.name": t, refName: tagOf(t)}
		}
	}
	return json.Marshal(&index)
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
