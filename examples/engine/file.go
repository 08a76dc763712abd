// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
)

// read loads the file at the absolute path name. The content is nil if there
// is none that an engine could use; the reason is noted under where.
func (in *inspection) read(where, name string) (File, []byte) {
	file := File{GID: -1, Path: name, UID: -1}
	info, err := fs.Stat(in.fsys, name[1:])
	if err != nil {
		in.problem(where, "%s: %s", name, reason(err))
		return file, nil
	}
	file.GID, file.UID = owner(info)
	file.Mode = fmt.Sprintf("%04o", info.Mode().Perm())
	file.Size = info.Size()
	if !info.Mode().IsRegular() {
		in.problem(where, "%s: not a regular file", name)
		return file, nil
	}
	in.checkAccess(where, name, info.Mode().Perm())

	content, err := fs.ReadFile(in.fsys, name[1:])
	if err != nil {
		in.problem(where, "%s: %s", name, reason(err))
		return file, nil
	}
	sum := sha256.Sum256(content)
	file.Readable, file.SHA256, file.Size = true, hex.EncodeToString(sum[:]), int64(len(content))
	if len(content) == 0 {
		in.problem(where, "%s: empty file", name)
		return file, nil
	}
	return file, content
}

// checkAccess holds the modes against the engine's own unprivileged user, so
// that the verdict is the same when root runs this program.
func (in *inspection) checkAccess(where, name string, mode fs.FileMode) {
	if mode&0o004 == 0 {
		in.problem(where, "%s: mode %04o is not world-readable", name, mode)
	}
	for dir := path.Dir(name); dir != "/"; dir = path.Dir(dir) {
		info, err := fs.Stat(in.fsys, dir[1:])
		switch {
		case err != nil:
			in.problem(where, "%s: %s", dir, reason(err))
		case info.Mode()&0o001 == 0:
			in.problem(where, "%s: directory of mode %04o is not world-searchable", dir, info.Mode().Perm())
		}
	}
}

// reason is err in words that do not depend on the file system or the host.
func reason(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no such file"
	case errors.Is(err, fs.ErrPermission):
		return "not readable by this process"
	}
	return err.Error()
}
