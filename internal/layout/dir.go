// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Dir writes an OCI image layout in a directory. Other writers, in this process
// or another, may be at work in the same directory.
type Dir struct {
	path    string
	checks  *Checks
	stage   *stage
	created []string // directories, for Abort, in the order of creation

	mu     sync.Mutex
	staged map[v1.Hash]string // the files of the blobs that wait for Commit
	done   bool
}

// CreateDir makes a writer for the layout in dir, which may be absent, empty
// or a layout; anything else is refused. Of the blobs that are there, checks
// says which are intact.
func CreateDir(dir string, checks *Checks) (*Dir, error) {
	if err := takes(dir); err != nil {
		return nil, err
	}
	d := &Dir{path: dir, checks: checks, staged: map[v1.Hash]string{}}
	const attempts = 100
	for n := 1; ; n++ {
		made, err := mkdirAll(dir)
		d.created = append(d.created, made...)
		if err == nil {
			if d.stage, err = newStage(dir); err == nil {
				sweep(dir)
				return d, nil
			}
		}
		// Another writer may have given up, and removed its new directory.
		if !errors.Is(err, fs.ErrNotExist) || n == attempts {
			removeAll(d.created)
			return nil, err
		}
	}
}

// takes refuses a directory that is no layout and has other things in it than
// the stages of writers.
func takes(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	// In this order: writers make the marker before all else.
	info, err := os.Stat(filepath.Join(dir, markerName))
	switch {
	case err != nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !isStage(e) }):
		return fmt.Errorf("%s is neither empty nor an OCI image layout", dir)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("%s is no OCI image layout: %s is %w", dir, markerName, ErrNotRegular)
	}
	// An index that cannot be read now cannot be added to at the end.
	if _, err := readIndex(os.DirFS(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// mkdirAll is os.MkdirAll that tells what it made.
func mkdirAll(dir string) (made []string, err error) {
	var missing []string
	for p := dir; ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || p == filepath.Dir(p) {
			break
		}
		missing = append(missing, p)
	}
	for _, p := range slices.Backward(missing) {
		err := os.Mkdir(p, 0o777)
		if err == nil {
			made = append(made, p)
		} else if !errors.Is(err, fs.ErrExist) {
			return made, err
		}
	}
	return made, nil
}

// removeAll removes what a writer made, the last first, as far as nobody else
// uses it: a directory with something in it stays.
func removeAll(created []string) {
	for _, p := range slices.Backward(created) {
		if os.Remove(p) != nil {
			return
		}
	}
}

// Has reports whether the layout holds the blob, or will after Commit.
func (d *Dir) Has(ctx context.Context, desc v1.Descriptor) (bool, error) {
	d.mu.Lock()
	_, staged := d.staged[desc.Digest]
	d.mu.Unlock()
	if staged {
		return true, nil
	}
	return d.checks.Holds(ctx, d.path, desc)
}

// Put writes a blob to the stage.
func (d *Dir) Put(ctx context.Context, r io.Reader, algorithm string) (v1.Descriptor, error) {
	tmp, err := d.stage.create()
	if err != nil {
		return v1.Descriptor{}, err
	}
	desc, err := copyHashed(ctx, tmp, r, algorithm)
	held := false
	if err = errors.Join(err, tmp.Close()); err == nil {
		held, err = d.Has(ctx, desc)
	}
	if err == nil && !held {
		d.mu.Lock()
		defer d.mu.Unlock()
		if _, held = d.staged[desc.Digest]; !held {
			d.staged[desc.Digest] = tmp.Name()
			return desc, nil
		}
	}
	return desc, errors.Join(err, os.Remove(tmp.Name()))
}

// Commit adds the image to index.json, in place of what the tags named before.
// It leaves index.json alone where they name the image already. While another
// writer commits, it waits.
func (d *Dir) Commit(ctx context.Context, image Image, tags []string) (err error) {
	lock, made, err := lockLayout(ctx, d.path)
	if err != nil {
		return err
	}
	var created []string
	if made {
		created = append(created, filepath.Join(d.path, markerName))
	}
	defer func() {
		if err != nil {
			removeAll(created) // while nobody else can build on it
		}
		err = errors.Join(err, lock.Close())
	}()
	entries, err := image.entries(ctx, tags)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	index, err := d.stageIndex(entries)
	if err != nil {
		return err
	}
	for _, digest := range slices.SortedFunc(maps.Keys(d.staged), func(a, b v1.Hash) int { return strings.Compare(a.String(), b.String()) }) {
		name := filepath.Join(d.path, filepath.FromSlash(blobName(digest)))
		dirs, err := mkdirAll(filepath.Dir(name))
		created = append(created, dirs...)
		if err == nil {
			err = os.Rename(d.staged[digest], name)
		}
		if err != nil {
			return err
		}
		d.checks.wrote(d.path, digest)
	}
	if index != "" {
		if err := os.Rename(index, filepath.Join(d.path, indexName)); err != nil {
			return err
		}
	}
	d.done = true
	d.stage.remove()
	return nil
}

// stageIndex writes the index.json with the entries to the stage; "" where the
// one that is there has them.
func (d *Dir) stageIndex(entries []Entry) (name string, err error) {
	index := &v1.IndexManifest{SchemaVersion: 2, MediaType: types.OCIImageIndex}
	old, err := readIndex(os.DirFS(d.path))
	switch {
	case err == nil:
		index = old
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	before := index.Manifests
	index.Manifests = merge(before, entries)
	if old != nil && reflect.DeepEqual(before, index.Manifests) {
		return "", nil
	}
	raw, err := json.Marshal(index)
	if err != nil {
		return "", err
	}
	if len(raw) > maxIndex {
		return "", fmt.Errorf("%s would have more than %d bytes", indexName, maxIndex)
	}
	tmp, err := d.stage.create()
	if err != nil {
		return "", err
	}
	_, err = tmp.Write(raw)
	return tmp.Name(), errors.Join(err, tmp.Close())
}

// Abort removes the stage, and the directories that this writer made unless
// another one uses them. Blobs that have their names stay: others may refer to
// them by now.
func (d *Dir) Abort() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done {
		return
	}
	d.done = true
	d.stage.remove()
	removeAll(d.created)
}
