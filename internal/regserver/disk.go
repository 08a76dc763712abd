// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime"
)

// stageDir holds what is being written. Nothing in it outlives a Server.
const stageDir = "staged"

// A disk keeps an object in a file. A file is written and synced in stageDir
// and then renamed, so that a crash leaves the old object or the new one.
type disk struct {
	root *os.Root
}

func openDisk(dir string) (*disk, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("opening the registry's storage: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the registry's storage: %w", err)
	}
	err = root.RemoveAll(stageDir) // of a run that ended in the middle of uploads
	if err == nil {
		err = root.Mkdir(stageDir, 0o755)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("clearing the registry's unfinished uploads: %w", err), root.Close())
	}
	return &disk{root: root}, nil
}

func (d *disk) stage() (staged, error) {
	name := path.Join(stageDir, rand.Text())
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &stagedFile{File: f, disk: d, name: name}, nil
}

func (d *disk) open(key string) (io.ReadSeekCloser, int64, error) {
	f, err := d.root.Open(key)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, 0, errors.Join(err, f.Close())
	}
	return f, info.Size(), nil
}

func (d *disk) put(key string, data []byte) error {
	s, err := d.stage()
	if err != nil {
		return err
	}
	if _, err = s.Write(data); err == nil {
		err = s.flush()
	}
	if err == nil {
		err = s.commit(key)
	}
	return errors.Join(err, s.discard())
}

func (d *disk) has(key string) (bool, error) {
	_, err := d.root.Stat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

func (d *disk) remove(key string) error {
	if err := d.root.Remove(key); err != nil {
		return err
	}
	return d.sync(path.Dir(key))
}

func (d *disk) list(dir string) ([]string, error) {
	f, err := d.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

func (d *disk) close() error { return d.root.Close() }

// sync makes the names in dir durable.
func (d *disk) sync(dir string) error {
	if runtime.GOOS == "windows" { // cannot sync a directory
		return nil
	}
	f, err := d.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

type stagedFile struct {
	*os.File
	disk *disk
	name string // empty once the file is elsewhere or gone
}

func (s *stagedFile) reread() (io.ReadCloser, error) { return s.disk.root.Open(s.name) }

func (s *stagedFile) flush() error { return s.Sync() }

func (s *stagedFile) commit(key string) error {
	if err := s.Close(); err != nil {
		return err
	}
	dir := path.Dir(key)
	if err := s.disk.root.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := s.disk.root.Rename(s.name, key); err != nil {
		return err
	}
	s.name = ""
	return s.disk.sync(dir)
}

func (s *stagedFile) discard() error {
	if s.name == "" {
		return nil
	}
	name := s.name
	s.name = ""
	err := s.Close()
	if errors.Is(err, fs.ErrClosed) { // by a commit that then failed
		err = nil
	}
	return errors.Join(err, s.disk.root.Remove(name))
}
