// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

// An Identity tells whether a file is the one that was read before, unchanged.
// The zero Identity tells nothing.
type Identity struct {
	Device, Inode uint64
	Size          int64
	// ModTime and ChangeTime are in nanoseconds. Programs can set the first
	// back, but not the second.
	ModTime, ChangeTime int64
}
