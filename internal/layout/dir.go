// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Dir writes an OCI image layout in a directory.
type Dir struct {
	path string

	mu      sync.Mutex
	created []string // for Abort, in the order of creation
	done    bool
}

// CreateDir makes a writer for the layout in dir, which may be absent, empty
// or a layout; anything else is refused.
func CreateDir(dir string) (*Dir, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(dir, "oci-layout")); err != nil && len(entries) > 0 {
		return nil, fmt.Errorf("%s is neither empty nor an OCI image layout", dir)
	}
	// An index that cannot be read now cannot be added to at the end.
	if _, err := readIndex(os.DirFS(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d := &Dir{path: dir}
	if err := d.mkdirAll(filepath.Join(dir, "blobs", "sha256")); err != nil {
		return nil, err
	}
	return d, nil
}

// mkdirAll is os.MkdirAll that remembers what it made.
func (d *Dir) mkdirAll(dir string) error {
	var missing []string
	for p := dir; ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || p == filepath.Dir(p) {
			break
		}
		missing = append([]string{p}, missing...)
	}
	for _, p := range missing {
		if err := os.Mkdir(p, 0o777); err != nil {
			d.Abort()
			return err
		}
		d.created = append(d.created, p)
	}
	return nil
}

func (d *Dir) blob(h v1.Hash) string { return filepath.Join(d.path, filepath.FromSlash(blobName(h))) }

// Has reports whether the layout holds the blob.
func (d *Dir) Has(h v1.Hash) bool {
	info, err := os.Stat(d.blob(h))
	return err == nil && info.Mode().IsRegular()
}

// Put writes a blob through a temporary file.
func (d *Dir) Put(ctx context.Context, r io.Reader) (desc v1.Descriptor, err error) {
	tmp, err := createTemp(filepath.Join(d.path, "blobs", "sha256", ".part"))
	if err != nil {
		return desc, err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if desc, err = copyHashed(ctx, tmp, r); err != nil {
		return desc, err
	}
	if err = tmp.Close(); err != nil {
		return desc, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	name := d.blob(desc.Digest)
	if d.Has(desc.Digest) {
		return desc, os.Remove(tmp.Name())
	}
	if err = os.Rename(tmp.Name(), name); err != nil {
		return desc, err
	}
	d.created = append(d.created, name)
	return desc, nil
}

// Commit adds the image to index.json, in place of what the tags named before.
// It writes nothing where they name the image already.
func (d *Dir) Commit(image Image, tags []string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	old, err := readIndex(os.DirFS(d.path))
	switch {
	case err == nil:
		index = old
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	entries := image.entries(tags)
	if old != nil && holdsAll(old.Manifests, entries) {
		d.done = true
		return nil
	}
	index.Manifests = retag(index.Manifests, entries)
	raw, err := json.Marshal(index)
	if err != nil {
		return err
	}
	marker := filepath.Join(d.path, "oci-layout")
	if _, err := os.Stat(marker); err != nil {
		d.created = append(d.created, marker)
	}
	if err := writeFile(marker, []byte(layoutFile)); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(d.path, "index.json"), raw); err != nil {
		return err
	}
	d.done = true
	return nil
}

// layoutFile is the content of the file oci-layout.
const layoutFile = `{"imageLayoutVersion":"1.0.0"}`

// Abort removes the blobs and directories that this writer made.
func (d *Dir) Abort() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	for i := len(d.created) - 1; i >= 0; i-- {
		os.Remove(d.created[i])
	}
	d.created = nil
}

// writeFile writes a file through a temporary one beside it.
func writeFile(name string, content []byte) (err error) {
	tmp, err := createTemp(name)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tmp.Close()
			os.Remove(tmp.Name())
		}
	}()
	if _, err = tmp.Write(content); err != nil {
		return err
	}
	if err = tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), name)
}

// createTemp makes a new file beside name, as readable as the umask lets other
// files be; os.CreateTemp's are for their owner alone.
func createTemp(name string) (*os.File, error) {
	for {
		tmp := filepath.Join(filepath.Dir(name), fmt.Sprintf(".%s-%08x", filepath.Base(name), rand.Uint32()))
		f, err := os.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// copyHashed copies r to w and returns the digest and size of what it copied.
func copyHashed(ctx context.Context, w io.Writer, r io.Reader) (v1.Descriptor, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(io.MultiWriter(w, h), contextReader{ctx, r}, make([]byte, 256<<10))
	if err != nil {
		return v1.Descriptor{}, err
	}
	return v1.Descriptor{Size: n, Digest: v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.Sum(nil))}}, nil
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
