// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
)

// ErrChanged is wrapped by the error of a pass whose source is not what it was
// when it was listed, or when an earlier pass read it.
var ErrChanged = errors.New("source changed while it was read")

// An Entry is one entry of a layer's tar.
type Entry struct {
	// Name is the in-image path without a leading slash, and without a
	// trailing one for directories as well: "assets/model.py".
	Name string
	// Type is tar.TypeReg, tar.TypeDir, tar.TypeSymlink or tar.TypeLink.
	Type byte
	// Mode holds permission bits, and setuid, setgid and sticky if a caller
	// insists.
	Mode     fs.FileMode
	UID, GID int
	// Linkname is a link's target: relative to the link for a symbolic link,
	// an in-image path like Name for a hard link.
	Linkname string
	// Size is the number of bytes that a regular file's content must have.
	Size int64
	// Source is the identity of the file that the content comes from; zero where
	// nothing tells whether that has changed.
	Source Identity
	// Open opens a regular file's content. A pass calls it once, reads up to
	// the end of file, and closes the reader before it asks for another entry.
	Open func() (io.ReadCloser, error)
}

// Entries is a sequence of entries, or of the error that ends it. Each range
// over it is one pass over the sources.
type Entries = iter.Seq2[Entry, error]

// FileEntry is the entry at dest of the regular file in fsys that info
// describes. Its mode is 0755 if the owner may execute the file, else 0644. A
// pass that finds another size or modification time than info's, before or
// after it has read the content, ends in ErrChanged.
func FileEntry(fsys fs.FS, file string, info fs.FileInfo, dest string) Entry {
	was := stampOf(info)
	return Entry{
		Name:   dest,
		Type:   tar.TypeReg,
		Mode:   normalMode(info.Mode()),
		Size:   info.Size(),
		Source: IdentityOf(info),
		Open:   func() (io.ReadCloser, error) { return openUnchanged(fsys, file, was) },
	}
}

// DirEntry is the entry of a directory with mode 0755.
func DirEntry(dest string) Entry {
	return Entry{Name: dest, Type: tar.TypeDir, Mode: 0o755}
}

// normalMode is all that a layer keeps of a file's mode.
func normalMode(m fs.FileMode) fs.FileMode {
	if m&0o100 != 0 {
		return 0o755
	}
	return 0o644
}

// A stamp tells whether a file is what it was.
type stamp struct {
	regular bool
	size    int64
	modTime int64 // nanoseconds
}

func stampOf(info fs.FileInfo) stamp {
	return stamp{info.Mode().IsRegular(), info.Size(), info.ModTime().UnixNano()}
}

// An unchangedFile is a file that checks its stamp before its first byte and
// at its end.
type unchangedFile struct {
	fs.File
	name string
	was  stamp
}

func openUnchanged(fsys fs.FS, file string, was stamp) (*unchangedFile, error) {
	f, err := fsys.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	if err != nil {
		return nil, err
	}
	u := &unchangedFile{f, file, was}
	if err := u.check(); err != nil {
		f.Close()
		return nil, err
	}
	return u, nil
}

func (u *unchangedFile) Read(p []byte) (int, error) {
	n, err := u.File.Read(p)
	switch {
	case err == io.EOF:
		if changed := u.check(); changed != nil {
			err = changed
		}
	case err != nil:
		err = fmt.Errorf("reading %q: %w", u.name, err)
	}
	return n, err
}

// check compares the open file with its stamp.
func (u *unchangedFile) check() error {
	info, err := u.Stat()
	if err != nil {
		return fmt.Errorf("reading %q: %w", u.name, err)
	}
	switch now := stampOf(info); {
	case now == u.was:
		return nil
	case !now.regular:
		return fmt.Errorf("%q is no longer a regular file: %w", u.name, ErrChanged)
	case now.size != u.was.size:
		return fmt.Errorf("%q has %d bytes instead of %d: %w", u.name, now.size, u.was.size, ErrChanged)
	default:
		return fmt.Errorf("%q has another modification time: %w", u.name, ErrChanged)
	}
}
