// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"io/fs"
	"syscall"
)

// IdentityOf is the identity of the file that info describes; zero where its
// file system has none.
func IdentityOf(info fs.FileInfo) Identity {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return Identity{}
	}
	return Identity{
		Device: uint64(st.Dev), Inode: st.Ino, Size: st.Size,
		ModTime: st.Mtim.Nano(), ChangeTime: st.Ctim.Nano(),
	}
}
