// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// owner is the group and user a file belongs to, -1 each if unknown.
func owner(info fs.FileInfo) (gid, uid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Gid), int(st.Uid)
	}
	return -1, -1
}
