// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
)

const (
	// maxAttachment is the size above which attachments are advised against.
	maxAttachment = 20_000_000
	// maxMembers, maxUnpacked and maxRatio bound what listing an archive may
	// cost; small archives may unpack to freeUnpacked at any ratio.
	maxMembers   = 200_000
	maxUnpacked  = 16 << 30
	maxRatio     = 200
	freeUnpacked = 256 << 20
)

// An archive is an attachment and what it holds.
type archive struct {
	*page
	members map[string]bool // clean names of files and links; true for a regular file
	dirs    map[string]bool // directories, implied ones too
}

// checkAttachmentFile is.
func checkAttachmentFile(p *page, f *File) *archive {
	a := &archive{page: p, members: make(map[string]bool), dirs: make(map[string]bool)}
	if f.Size > maxAttachment {
		p.add(a05.says("the attachment is %d MB", f.Size/1_000_000).hint("bake the files into the image instead, with --unpack"))
	}
	kind := archiveKind(f.Path)
	if kind == "" {
		p.add(a01.says("attachments must be .zip, .tgz or .tar.gz").hint("repack %s", path.Base(f.Path)))
		return a
	}
	if f.Open == nil {
		return nil
	}
	r, err := f.Open()
	if err != nil {
		p.add(a02.says("the attachment cannot be read: %v", err).hint("check the file and its permissions"))
		return a
	}
	if kind == "zip" {
		err = a.zip(r, f.Size)
	} else {
		err = a.tarGz(r, f.Size)
	}
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	var wrong *wrongKind
	switch {
	case errors.As(err, &wrong):
		p.add(a02.says("the attachment is %s, not %s as its name says", wrong.is, wrong.want).hint("rename or repack it"))
	case errors.Is(err, errTooMuch):
		p.add(a05.says("listing the attachment was given up: it unpacks to too much").hint("bake the files into the image instead, with --unpack"))
	case err != nil:
		p.add(a02.says("the attachment is damaged or truncated: %v", err).hint("pack it again"))
	}
	return a
}

func archiveKind(name string) string {
	switch {
	case strings.HasSuffix(name, ".zip"):
		return "zip"
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return "gzip"
	}
	return ""
}

var errTooMuch = errors.New("unpacks to too much")

// wrongKind says that an archive is another one than its name claims.
type wrongKind struct{ is, want string }

func (e *wrongKind) Error() string { return fmt.Sprintf("is %s, not %s", e.is, e.want) }

// sniff names the kind of data that begins with head.
func sniff(head []byte) string {
	for _, magic := range []struct{ prefix, kind string }{
		{"PK\x03\x04", "zip"}, {"PK\x05\x06", "zip"}, {"\x1f\x8b", "gzip"}, {"BZh", "bzip2"}, {"\xfd7zXZ\x00", "xz"},
		{"\x28\xb5\x2f\xfd", "zstd"}, {"7z\xbc\xaf\x27\x1c", "7z"}, {"Rar!", "rar"},
	} {
		if bytes.HasPrefix(head, []byte(magic.prefix)) {
			return magic.kind
		}
	}
	if len(head) > 262 && string(head[257:262]) == "ustar" {
		return "tar"
	}
	return ""
}

// tarGz lists a compressed tar in one pass.
func (a *archive) tarGz(r io.Reader, size int64) error {
	head := make([]byte, 512)
	n, err := io.ReadFull(r, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if kind := sniff(head[:n]); kind != "gzip" {
		return &wrongKind{orUnknown(kind), "gzip data"}
	}
	z, err := gzip.NewReader(io.MultiReader(bytes.NewReader(head[:n]), r))
	if err != nil {
		return err
	}
	limit := min(maxUnpacked, max(freeUnpacked, size*maxRatio))
	t := tar.NewReader(&budget{z, limit})
	for count := 0; ; count++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF) && count == 0:
			return &wrongKind{"gzip data without a tar inside", "a compressed tar"}
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, tar.ErrHeader) && count == 0:
			return &wrongKind{"gzip data without a tar inside", "a compressed tar"}
		case err != nil && !errors.Is(err, tar.ErrInsecurePath):
			return err
		case count >= maxMembers:
			return errTooMuch
		}
		link := ""
		switch h.Typeflag {
		case tar.TypeLink:
			link = "/" + h.Linkname // from the archive's root, unlike a symbolic link
		case tar.TypeSymlink:
			link = h.Linkname
		}
		a.member(h.Name, h.FileInfo().Mode(), link, h.Typeflag == tar.TypeLink)
	}
}

func orUnknown(kind string) string {
	if kind == "" {
		return "no archive"
	}
	return kind + " data"
}

// budget reads until a limit, and fails with errTooMuch beyond it.
type budget struct {
	r    io.Reader
	left int64
}

func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.r.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// zip lists a zip archive by its directory.
func (a *archive) zip(r io.Reader, size int64) error {
	at, ok := r.(io.ReaderAt)
	if !ok {
		const inMemory = 64 << 20
		data, err := io.ReadAll(io.LimitReader(r, inMemory+1))
		if err != nil {
			return err
		}
		if len(data) > inMemory {
			return errTooMuch
		}
		at, size = bytes.NewReader(data), int64(len(data))
	}
	head := make([]byte, 512)
	n, err := at.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if kind := sniff(head[:n]); kind != "zip" && kind != "" {
		return &wrongKind{kind + " data", "zip data"}
	}
	z, err := zip.NewReader(at, size)
	switch {
	case errors.Is(err, zip.ErrFormat) && sniff(head[:n]) == "":
		return &wrongKind{"no archive", "zip data"}
	case err != nil && !errors.Is(err, zip.ErrInsecurePath):
		return err
	case len(z.File) > maxMembers:
		return errTooMuch
	}
	for _, f := range z.File {
		link := ""
		if f.Mode()&fs.ModeSymlink != 0 {
			if link, err = linkTarget(f); err != nil {
				return err
			}
		}
		a.member(strings.ReplaceAll(f.Name, `\`, "/"), f.Mode(), link, false)
	}
	return nil
}

// linkTarget is the content of a zip's symbolic link.
func linkTarget(f *zip.File) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", err
	}
	target, err := io.ReadAll(io.LimitReader(r, 4096))
	return string(target), errors.Join(err, r.Close())
}

// member is A-03 for one member, and remembers it.
func (a *archive) member(name string, mode fs.FileMode, link string, hard bool) {
	clean := path.Clean(strings.TrimPrefix(name, "./"))
	bad := func(why string) {
		a.add(a03.says("member %s %s", quote(name), why).hint("pack it again with plain relative names"))
	}
	switch {
	case strings.HasPrefix(name, "/") || len(name) > 1 && name[1] == ':':
		bad("has an absolute name")
		return
	case clean == ".." || strings.HasPrefix(clean, "../") || strings.Contains(name, "/../") || strings.HasPrefix(name, "../"):
		bad("escapes the archive")
		return
	case mode&(fs.ModeDevice|fs.ModeCharDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0:
		bad("is a device")
		return
	case hard && escapes("/", link), !hard && (path.IsAbs(link) || escapes(path.Join("/", path.Dir(clean)), link)):
		bad("links to something outside of the archive")
		return
	}
	dir := path.Dir(clean)
	if mode.IsDir() {
		dir = clean
	} else {
		a.members[clean] = mode.IsRegular()
	}
	for ; dir != "." && !a.dirs[dir]; dir = path.Dir(dir) {
		a.dirs[dir] = true
	}
}

// has tells whether the archive has a file or a directory of that name.
func (a *archive) has(name string) bool {
	_, file := a.members[name]
	return file || a.dirs[name]
}
