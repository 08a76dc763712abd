// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// Tree lists the members of an uncompressed tar of fsys as entries below the
// in-image directory destDir, in the byte order of their names: what WalkAsIs
// lists of a directory, with owners. It refuses what Archive does, and hard
// links. An entry that is read after the tar has changed ends in ErrChanged.
func Tree(ctx context.Context, fsys fs.FS, file, destDir string) ([]Entry, error) {
	entries, err := listTree(ctx, fsys, file, destDir)
	if err != nil {
		return nil, fmt.Errorf("archive %q: %w", file, err)
	}
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return entries, nil
}

func listTree(ctx context.Context, fsys fs.FS, file, destDir string) ([]Entry, error) {
	info, err := fs.Stat(fsys, file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is no regular file")
	}
	was := stampOf(info)
	f, err := openUnchanged(fsys, file, was)
	if err != nil {
		return nil, err
	}
	defer f.Close() // was opened for reading only
	c, err := uncompress(cancelable{ctx, f}, ".tar", newSieve(destDir, Limits{}.withDefaults(), info.Size(), true))
	if err != nil {
		return nil, f.blame(truncated(err))
	}
	var entries []Entry
	var end int64 // of the last member
	r := tar.NewReader(c)
	for {
		h, err := r.Next()
		if err == io.EOF {
			return entries, f.blame(c.expectEnd(end))
		}
		if err == nil {
			err = inPlace(h)
		}
		at := c.n // archive/tar reads no further than the header
		if err == nil {
			err = passTar(r, h, c.s, func(m Member, _ func() (io.ReadCloser, error)) error {
				e := Entry{Name: m.Name, Type: m.Type, Mode: m.Mode, UID: m.UID, GID: m.GID, Linkname: m.Linkname, Size: m.Size}
				if m.Type == tar.TypeReg {
					e.Open = func() (io.ReadCloser, error) { return openPart(fsys, file, was, at, m.Size) }
				}
				entries = append(entries, e)
				return nil
			})
		}
		if err != nil {
			return nil, f.blame(truncated(err))
		}
		end = wholeBlocks(c.n)
	}
}

// inPlace refuses members whose content is not in the tar as it is.
func inPlace(h *tar.Header) error {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return fmt.Errorf("member %q: is a sparse file", h.Name)
		}
	}
	switch h.Typeflag {
	case tar.TypeGNUSparse:
		return fmt.Errorf("member %q: is a sparse file", h.Name)
	case tar.TypeLink:
		return fmt.Errorf("member %q: is a hard link", h.Name)
	}
	return nil
}

// openPart opens size bytes of a file from an offset on.
func openPart(fsys fs.FS, file string, was stamp, at, size int64) (io.ReadCloser, error) {
	f, err := openUnchanged(fsys, file, was)
	if err != nil {
		return nil, err
	}
	if s, ok := f.File.(io.Seeker); ok {
		_, err = s.Seek(at, io.SeekStart)
	} else {
		_, err = io.CopyN(io.Discard, f, at)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("reading %q: %w", file, err)
	}
	return &part{io.LimitReader(f, size), f}, nil
}

// A part of a file, which checks at its end that the file is what it was.
type part struct {
	io.Reader
	file *unchangedFile
}

func (p *part) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b)
	if err == io.EOF {
		if changed := p.file.check(); changed != nil {
			err = changed
		}
	}
	return n, err
}

func (p *part) Close() error { return p.file.Close() }
