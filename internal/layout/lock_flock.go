// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package layout

import (
	"errors"
	"os"
	"syscall"
)

// tryLock locks f for this open file alone, until it is closed. It returns nil
// where another one has it.
func tryLock(f *os.File) (release func(), err error) {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return func() {}, nil
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return nil, nil
		case errors.Is(err, errors.ErrUnsupported), errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.EBADF):
			// A file system without locks, or one that wants more than a file
			// that may only be read.
			return tryLockName(f)
		}
		return nil, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
	}
}

// abandoned locks f and reports that no other process had it locked; false
// where that cannot be told.
func abandoned(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
