// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
)

// A stage is where an extraction is put together, beside or in the directory
// where it belongs: contents under numbers, whatever their names in the image,
// and then the result. Both are written through an os.Root.
type stage struct {
	dir     string // where the result belongs
	made    bool   // dir was there, empty
	tmp     string
	root    *os.Root // of tmp
	spool   *os.Root
	out     *os.Root
	spooled int
}

// newStage makes a stage for dir, which must be empty or absent.
func newStage(dir string) (*stage, error) {
	s := &stage{dir: filepath.Clean(dir)}
	parent, pattern := filepath.Dir(s.dir), "."+filepath.Base(s.dir)+"-*"
	entries, err := os.ReadDir(s.dir)
	switch {
	case err == nil && len(entries) > 0:
		return nil, usagef("%s is not empty: name an empty directory, or one to be made", dir)
	case err == nil:
		s.made, parent, pattern = true, s.dir, ".extract-*"
	case !errors.Is(err, fs.ErrNotExist):
		if info, serr := os.Stat(s.dir); serr == nil && !info.IsDir() {
			return nil, usagef("%s is no directory", dir)
		}
		return nil, stageError(dir, err)
	default:
		if _, lerr := os.Lstat(s.dir); lerr == nil {
			return nil, usagef("%s is a symbolic link that leads nowhere", dir)
		}
	}
	if s.tmp, err = os.MkdirTemp(parent, pattern); err != nil {
		return nil, stageError(dir, err)
	}
	if s.root, err = os.OpenRoot(s.tmp); err == nil {
		s.spool, err = makeRoot(filepath.Join(s.tmp, "spool"))
	}
	if err == nil {
		s.out, err = makeRoot(filepath.Join(s.tmp, "out"))
	}
	if err != nil {
		s.discard()
		return nil, stageError(dir, err)
	}
	return s, nil
}

func makeRoot(dir string) (*os.Root, error) {
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	return os.OpenRoot(dir)
}

// stageError is err about dir, whose temporary names are no news.
func stageError(dir string, err error) error {
	var pe *fs.PathError
	var le *os.LinkError
	switch {
	case errors.As(err, &pe):
		err = pe.Err
	case errors.As(err, &le):
		err = le.Err
	}
	return fmt.Errorf("writing %s: %w", dir, err)
}

// keep writes content to the spool, and returns its name there and its SHA-256
// in hex.
func (s *stage) keep(content io.Reader) (name, sum string, err error) {
	s.spooled++
	// Some file systems are slow with many files in one directory.
	dir := strconv.Itoa(s.spooled / 1000)
	name = path.Join(dir, strconv.Itoa(s.spooled))
	if err := s.spool.Mkdir(dir, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", "", stageError(s.dir, err)
	}
	f, err := s.spool.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return "", "", stageError(s.dir, err)
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(writing{f, s.dir}, h), content)
	if cerr := f.Close(); err == nil && cerr != nil {
		err = stageError(s.dir, cerr)
	}
	return name, hex.EncodeToString(h.Sum(nil)), err
}

// again keeps what is in the spool a second time.
func (s *stage) again(spooled string) (string, error) {
	f, err := s.spool.Open(spooled)
	if err != nil {
		return "", stageError(s.dir, err)
	}
	defer f.Close() // was opened for reading only
	name, _, err := s.keep(f)
	return name, err
}

// writing tells errors of the file from those of what it is written from.
type writing struct {
	io.Writer
	dir string
}

func (w writing) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	if err != nil {
		err = stageError(w.dir, err)
	}
	return n, err
}

// place moves content from the spool to a name in the result, which must be
// new: on some file systems names that differ in case are one.
func (s *stage) place(spooled, name string, mode fs.FileMode) error {
	if err := s.mkdir(path.Dir(name)); err != nil {
		return err
	}
	fail := func(err error) error { return stageError(path.Join(s.dir, name), err) }
	if _, err := s.out.Lstat(filepath.FromSlash(name)); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = fs.ErrExist
		}
		return fail(err)
	}
	if err := s.root.Rename(path.Join("spool", spooled), path.Join("out", name)); err != nil {
		return fail(err)
	}
	if err := s.out.Chmod(filepath.FromSlash(name), mode); err != nil {
		return fail(err)
	}
	return nil
}

func (s *stage) create(name string) (*os.File, error) {
	f, err := s.out.OpenFile(filepath.FromSlash(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, stageError(path.Join(s.dir, name), err)
	}
	return f, nil
}

func (s *stage) mkdir(name string) error {
	if err := s.out.MkdirAll(filepath.FromSlash(name), 0o755); err != nil {
		return stageError(path.Join(s.dir, name), err)
	}
	return nil
}

// write writes a file of the result.
func (s *stage) write(name string, content []byte) error {
	f, err := s.create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Close()); err != nil {
		return stageError(path.Join(s.dir, name), err)
	}
	return nil
}

// commit puts the result where it belongs, the bake file last.
func (s *stage) commit() error {
	out := filepath.Join(s.tmp, "out")
	if !s.made {
		if err := os.Rename(out, s.dir); err != nil {
			return stageError(s.dir, err)
		}
		return nil
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		return stageError(s.dir, err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != BakeFileName {
			names = append(names, e.Name())
		}
	}
	for i, name := range append(names, BakeFileName) {
		if err := os.Rename(filepath.Join(out, name), filepath.Join(s.dir, name)); err != nil {
			for _, moved := range names[:i] {
				err = errors.Join(err, os.RemoveAll(filepath.Join(s.dir, moved)))
			}
			return stageError(s.dir, err)
		}
	}
	return nil
}

// discard removes what is not part of the result.
func (s *stage) discard() {
	for _, root := range []*os.Root{s.root, s.spool, s.out} {
		if root != nil {
			root.Close() // of a directory
		}
	}
	_ = os.RemoveAll(s.tmp) // nothing is to be done about it
}
