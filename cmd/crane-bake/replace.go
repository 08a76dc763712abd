// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// writable makes sure that replaceFile will be able to write a file, as far as
// that can be known.
func writable(name string) error {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return errUsage("%s is a directory; want a file to write", name)
	}
	if inPlace(name) {
		return nil
	}
	target, err := followed(name)
	if err != nil {
		return fmt.Errorf("writing %w", fileError(name, err))
	}
	probe, err := createBeside(target)
	if err != nil {
		return fmt.Errorf("writing %w", fileError(name, err)) // the temporary name is no news
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// replaceFile gives a file its content all at once, through a temporary file
// beside it. Links are followed, an old file's mode stays, and what is no
// regular file, such as a device or a pipe, is written to.
func replaceFile(name string, content []byte) error {
	if inPlace(name) {
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			return fileError(name, err)
		}
		_, err = f.Write(content)
		return errors.Join(err, f.Close())
	}
	target, err := followed(name)
	if err != nil {
		return fileError(name, err)
	}
	tmp, err := createBeside(target)
	if err != nil {
		return fileError(name, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(content)
	if old, serr := os.Stat(target); err == nil && serr == nil {
		err = tmp.Chmod(old.Mode().Perm())
	}
	if err := errors.Join(err, tmp.Close()); err != nil {
		return fileError(name, err)
	}
	if err := os.Rename(tmp.Name(), target); err != nil {
		return fileError(name, err)
	}
	return nil
}

// inPlace reports whether a file is one to write to rather than to replace:
// nothing regular, or whatever a stream of this process goes to.
func inPlace(name string) bool {
	info, err := os.Stat(name)
	return err == nil && (!info.Mode().IsRegular() || streams().MatchString(filepath.ToSlash(filepath.Clean(name))))
}

// streams matches the names that systems give a process's own streams.
var streams = lazyregexp.New(`^/dev/(stdout|stderr|fd/\d+)$|^/proc/[^/]+/fd/\d+$`)

// maxLinks is how many symbolic links in a row systems follow.
const maxLinks = 40

// followed is the file that name leads to through symbolic links. It need not
// exist, as filepath.EvalSymlinks wants it to.
func followed(name string) (string, error) {
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(name))
		if err != nil {
			return "", err
		}
		name = filepath.Join(dir, filepath.Base(name))
		link, err := os.Readlink(name)
		if err != nil {
			return name, nil // no link
		}
		if !filepath.IsAbs(link) {
			// Not joined, which would take "a/.." away even where a is a link.
			link = dir + string(filepath.Separator) + link
		}
		name = link
	}
	return "", errors.New("too many levels of symbolic links")
}

// createBeside creates a temporary file in the directory of name, with the mode
// that the umask gives a new file, which is not os.CreateTemp's.
func createBeside(name string) (*os.File, error) {
	dir, base := filepath.Split(name)
	for {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf(".%s-%08x", base, rand.Uint32())), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}
