// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"
)

// TarFS is the regular files of an uncompressed tar by name, each read in
// place.
type TarFS struct {
	file    *os.File
	members map[string]member
}

type member struct {
	offset, size int64
}

// OpenTar lists the tar in the file name; nothing is unpacked.
func OpenTar(name string) (*TarFS, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // a pipe may wait for ever
		return nil, fmt.Errorf("%s is %w", name, ErrNotRegular)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	t := &TarFS{file: f, members: map[string]member{}}
	if err := t.list(); err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return t, nil
}

func (t *TarFS) list() error {
	var magic [4]byte
	if _, err := t.file.ReadAt(magic[:], 0); err != nil {
		return errors.New("not a tar archive")
	}
	if magic[0] == 0x1f && magic[1] == 0x8b || string(magic[:]) == "\x28\xb5\x2f\xfd" {
		return errors.New("the archive is compressed; decompress it first")
	}
	r := tar.NewReader(t.file)
	links := map[string]string{}
	for {
		hdr, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("not a tar archive: %w", err)
		}
		name := path.Clean(hdr.Name)
		switch hdr.Typeflag {
		case tar.TypeReg:
			// archive/tar does not read ahead of a member's content.
			offset, err := t.file.Seek(0, io.SeekCurrent)
			if err != nil {
				return err
			}
			t.members[name] = member{offset, hdr.Size}
			delete(links, name) // a later member replaces an earlier one
		case tar.TypeSymlink:
			// docker save before 25 links layers that repeat.
			links[name] = path.Join(path.Dir(name), hdr.Linkname)
			delete(t.members, name)
		case tar.TypeLink:
			links[name] = path.Clean(hdr.Linkname)
			delete(t.members, name)
		}
	}
	for name, to := range links {
		for range links { // a link may lead to a link, but not for ever
			next, ok := links[to]
			if !ok {
				break
			}
			to = next
		}
		if m, ok := t.members[to]; ok {
			t.members[name] = m
		}
	}
	return nil
}

// Close closes the tar.
func (t *TarFS) Close() error { return t.file.Close() }

// Open opens the regular file name.
func (t *TarFS) Open(name string) (fs.File, error) {
	m, ok := t.members[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &openMember{io.NewSectionReader(t.file, m.offset, m.size), path.Base(name)}, nil
}

type openMember struct {
	*io.SectionReader
	name string
}

func (f *openMember) Stat() (fs.FileInfo, error) { return memberInfo{f}, nil }
func (f *openMember) Close() error               { return nil }

type memberInfo struct{ f *openMember }

func (i memberInfo) Name() string       { return i.f.name }
func (i memberInfo) Size() int64        { return i.f.SectionReader.Size() }
func (i memberInfo) Mode() fs.FileMode  { return 0o444 }
func (i memberInfo) ModTime() time.Time { return time.Time{} }
func (i memberInfo) IsDir() bool        { return false }
func (i memberInfo) Sys() any           { return nil }
