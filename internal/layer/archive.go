// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// A Member is what an archive contributes to a layer.
type Member struct {
	Name     string      // in-image path, like Entry.Name
	Type     byte        // tar.TypeReg, TypeDir, TypeSymlink or TypeLink
	Mode     fs.FileMode // 0755 or 0644, unless ArchiveOptions.AsIs
	UID, GID int         // 0, unless ArchiveOptions.AsIs
	Size     int64       // of files, in bytes
	Linkname string      // like Entry.Linkname
}

// Limits bound what an archive may unpack to. A zero field is its default.
type Limits struct {
	Entries int   // members; 1,000,000 by default
	Bytes   int64 // unpacked; 1 TiB by default
	Ratio   int64 // of unpacked to packed bytes, from 64 MiB unpacked; 1000 by default
}

func (l Limits) withDefaults() Limits {
	if l.Entries == 0 {
		l.Entries = 1_000_000
	}
	if l.Bytes == 0 {
		l.Bytes = 1 << 40
	}
	if l.Ratio == 0 {
		l.Ratio = 1000
	}
	return l
}

// ratioFrom is the unpacked size below which Limits.Ratio does not count.
const ratioFrom = 64 << 20

// check refuses an archive of packed bytes that holds more than it may.
func (l Limits) check(unpacked, packed int64) error {
	if unpacked > l.Bytes {
		return fmt.Errorf("unpacks to more than %d bytes", l.Bytes)
	}
	if unpacked > ratioFrom && unpacked/l.Ratio > packed {
		return fmt.Errorf("unpacks to more than %d times its size", l.Ratio)
	}
	return nil
}

// ArchiveOptions say how an archive is read. The zero value works.
type ArchiveOptions struct {
	Limits Limits
	// AsIs keeps modes, owners and the targets of symbolic links as a tar's
	// members say, and tells the kind of archive by its content.
	AsIs bool
}

// Archive lists the members of an archive of fsys as they are to appear below
// the in-image directory destDir, and returns the entries for them, which read
// the archive again on each pass. The file's extension, one of .zip, .tar,
// .tar.gz, .tgz and .tar.zst, must agree with its content. A .zip needs an
// fs.File that is an io.ReaderAt.
//
// Modes become 0755 or 0644 and owners 0. Directories that the archive implies
// are added in front of their first member, but destDir and its parents are
// not. Symbolic links are kept, and hard links are if an earlier member is
// their target. Archive refuses names and links that lead out of the archive,
// whiteouts, devices and the like, a file that occurs twice, and what exceeds
// limits. A pass over an archive that has changed ends in ErrChanged.
func Archive(ctx context.Context, fsys fs.FS, file, destDir string, opts ArchiveOptions) ([]Member, Entries, error) {
	members, entries, err := openArchive(ctx, fsys, file, destDir, opts)
	if err != nil {
		return nil, nil, fmt.Errorf("archive %q: %w", file, err)
	}
	return members, entries, nil
}

func openArchive(ctx context.Context, fsys fs.FS, file, destDir string, opts ArchiveOptions) ([]Member, Entries, error) {
	kind, err := archiveKind(file)
	if opts.AsIs {
		kind, err = contentKind(fsys, file)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := fs.Stat(fsys, file)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, errors.New("is no regular file")
	}
	a := &archive{fsys, file, kind, stampOf(info), destDir, opts.Limits.withDefaults(), opts.AsIs}
	members, err := a.list(ctx)
	if err != nil {
		return nil, nil, err
	}
	return members, a.entries(members), nil
}

// An archive is a file of members.
type archive struct {
	fsys    fs.FS
	file    string
	kind    string // an extension
	was     stamp
	destDir string
	limits  Limits
	asIs    bool
}

// A visitor gets an archive's members in order. It reads a file's content from
// open before it returns, or else leaves it out. An error ends the walk.
type visitor func(m Member, open func() (io.ReadCloser, error)) error

// walk makes a pass over the archive.
func (a *archive) walk(ctx context.Context, visit visitor) error {
	f, err := openUnchanged(a.fsys, a.file, a.was)
	if err != nil {
		return err
	}
	defer f.Close() // was opened for reading only
	s := newSieve(a.destDir, a.limits, a.was.size, a.asIs)
	visit = f.blamed(visit)
	if a.kind == zipKind {
		err = walkZip(f, s, visit)
	} else {
		err = walkTar(cancelable{ctx, f}, a.kind, s, visit)
	}
	if err == nil {
		return f.check()
	}
	return f.blame(err)
}

// blamed makes errors of members' contents say so where the archive has
// changed.
func (u *unchangedFile) blamed(visit visitor) visitor {
	return func(m Member, open func() (io.ReadCloser, error)) error {
		return visit(m, func() (io.ReadCloser, error) {
			r, err := open()
			return blamedContent{r, u}, u.blame(err)
		})
	}
}

type blamedContent struct {
	io.ReadCloser
	archive *unchangedFile
}

func (c blamedContent) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	return n, c.archive.blame(err)
}

// blame replaces an error by its likely reason.
func (u *unchangedFile) blame(err error) error {
	if err == nil || err == io.EOF {
		return err
	}
	if changed := u.check(); changed != nil {
		return changed
	}
	return err
}

// list makes a pass that tells the members and proves that the archive can be
// read.
func (a *archive) list(ctx context.Context) ([]Member, error) {
	var members []Member
	err := a.walk(ctx, func(m Member, _ func() (io.ReadCloser, error)) error {
		members = append(members, m)
		return nil
	})
	return members, err
}

// errStopped ends a walk whose range loop was left.
var errStopped = errors.New("stopped")

// entries is the sequence of the members that list has found.
func (a *archive) entries(members []Member) Entries {
	return func(yield func(Entry, error) bool) {
		var next int
		var stopped bool
		err := a.walk(context.Background(), func(m Member, open func() (io.ReadCloser, error)) error {
			if next == len(members) || m != members[next] {
				return fmt.Errorf("has other members: %w", ErrChanged)
			}
			next++
			e := Entry{Name: m.Name, Type: m.Type, Mode: m.Mode, UID: m.UID, GID: m.GID, Linkname: m.Linkname, Size: m.Size}
			if m.Type == tar.TypeReg {
				e.Open = open
			}
			if !yield(e, nil) {
				stopped = true
				return errStopped
			}
			return nil
		})
		if stopped {
			return
		}
		if err == nil && next < len(members) {
			err = fmt.Errorf("has fewer members: %w", ErrChanged)
		}
		if err != nil {
			yield(Entry{}, fmt.Errorf("archive %q: %w", a.file, err))
		}
	}
}

const zipKind = ".zip"

// archiveKind is the extension of an archive's name.
func archiveKind(file string) (string, error) {
	lower := strings.ToLower(file)
	for _, kind := range []string{zipKind, ".tar", ".tar.gz", ".tgz", ".tar.zst"} {
		if strings.HasSuffix(lower, kind) {
			return kind, nil
		}
	}
	return "", errors.New("extension is none of .zip, .tar, .tar.gz, .tgz and .tar.zst")
}

// A cancelable reader hears a context.
type cancelable struct {
	ctx context.Context
	r   io.Reader
}

func (c cancelable) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}
