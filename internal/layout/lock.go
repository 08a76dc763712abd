// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// A fileLock is an open file that nobody else has locked.
type fileLock struct {
	*os.File
	release func()
}

// Close gives the lock up.
func (l *fileLock) Close() error {
	l.release()
	return l.File.Close()
}

// lockFile locks f, which it closes otherwise; nil without an error where
// somebody else has, or where f's name no longer stands for f.
func lockFile(f *os.File) (*fileLock, error) {
	release, err := tryLock(f)
	if release == nil {
		return nil, errors.Join(err, f.Close())
	}
	l := &fileLock{f, release}
	is, err := f.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = os.Stat(f.Name()); err == nil && os.SameFile(is, now) {
			return l, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return nil, errors.Join(err, l.Close())
}

// lockLayout waits until it has locked the file oci-layout in dir, which it
// makes where there is none. Every layout has that file, and tools that write
// it anew write into it: a lock needs no file of its own. A lock on the
// directory would keep out no writer on another machine.
func lockLayout(ctx context.Context, dir string) (l *fileLock, made bool, err error) {
	const longest = 50 * time.Millisecond
	for wait := time.Millisecond; ; wait = min(2*wait, longest) {
		f, made, err := openMarker(filepath.Join(dir, markerName))
		if err == nil {
			l, err = lockFile(f)
		}
		if l != nil {
			if err := l.fill(); err != nil {
				return nil, made, errors.Join(err, l.Close())
			}
			return l, made, nil
		}
		if err != nil {
			return nil, false, err
		}
		select {
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}

// openMarker opens oci-layout; made reports that there was none.
func openMarker(name string) (f *os.File, made bool, err error) {
	for {
		if f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); !errors.Is(err, fs.ErrExist) {
			return f, err == nil, err
		}
		// Network file systems lock only what is open for writing.
		if f, err = os.OpenFile(name, os.O_RDWR, 0); errors.Is(err, fs.ErrPermission) {
			f, err = os.Open(name)
		}
		if _, gone := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) || gone == nil {
			return f, false, err
		}
	}
}

// fill writes an oci-layout that is new, or that a writer left empty when it
// was killed.
func (l *fileLock) fill() error {
	info, err := l.Stat()
	if err != nil || info.Size() > 0 {
		return err
	}
	_, err = l.WriteAt([]byte(markerContent), 0)
	return err
}
