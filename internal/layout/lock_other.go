// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package layout

import "os"

// tryLock locks f by its name: other processes are not kept out.
func tryLock(f *os.File) (release func(), err error) { return tryLockName(f) }

// abandoned locks f and reports that no other process had it locked; false
// where that cannot be told.
func abandoned(*os.File) bool { return false }
