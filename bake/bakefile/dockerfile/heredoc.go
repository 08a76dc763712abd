// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"io"
	"io/fs"
	"strings"
	"time"
)

// A document is the file system of one here-document. The zero document is an
// empty file system.
type document struct{ name, content string }

func (d document) Open(name string) (fs.File, error) {
	switch {
	case !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	case name == ".":
		return &documentDir{document: d}, nil
	case name == d.name:
		return documentFile{strings.NewReader(d.content), documentInfo{d.name, int64(len(d.content)), 0o644}}, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

type documentFile struct {
	*strings.Reader
	info documentInfo
}

func (f documentFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f documentFile) Close() error               { return nil }

// documentDir is the directory that a document is in.
type documentDir struct {
	document
	done bool
}

func (d *documentDir) Stat() (fs.FileInfo, error) {
	return documentInfo{".", 0, fs.ModeDir | 0o755}, nil
}

func (d *documentDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: ".", Err: fs.ErrInvalid}
}

func (d *documentDir) Close() error { return nil }

func (d *documentDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if d.done || d.name == "" {
		if n > 0 {
			return nil, io.EOF
		}
		return nil, nil
	}
	d.done = true
	return []fs.DirEntry{fs.FileInfoToDirEntry(documentInfo{d.name, int64(len(d.content)), 0o644})}, nil
}

type documentInfo struct {
	name string
	size int64
	mode fs.FileMode
}

func (i documentInfo) Name() string       { return i.name }
func (i documentInfo) Size() int64        { return i.size }
func (i documentInfo) Mode() fs.FileMode  { return i.mode }
func (i documentInfo) ModTime() time.Time { return time.Time{} }
func (i documentInfo) IsDir() bool        { return i.mode.IsDir() }
func (i documentInfo) Sys() any           { return nil }
