// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package credentials

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"
)

// lockPause is how long to wait for who rewrites a file of a few lines.
const lockPause = 5 * time.Millisecond

// lock keeps other logins out of a directory. File systems without locks go
// without.
func lock(ctx context.Context, dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	for {
		err := syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return func() { d.Close() }, nil
		}
		select {
		case <-time.After(lockPause):
		case <-ctx.Done():
			d.Close()
			return nil, context.Cause(ctx)
		}
	}
}

// keepOwner gives a new file the owner of the one that it will replace: a login
// under sudo must not lock a user out of a file of his own.
func keepOwner(old string, file *os.File) {
	info, err := os.Stat(old)
	if err != nil {
		return
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = file.Chown(int(stat.Uid), int(stat.Gid)) // of whom it is already, unless we are root
	}
}
