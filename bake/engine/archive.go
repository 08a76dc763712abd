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
	"strings"
)

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
		{"PK\x03\x04", "zip"},
		{"PK\x05\x06", "zip"},
		{"\x1f\x8b", "gzip"},
		{"BZh", "bzip2"},
		{"\xfd7zXZ\x00", "xz"},
		{"\x28\xb5\x2f\xfd", "zstd"},
		{"7z\xbc\xaf\x27\x1c", "7z"},
		{"Rar!", "rar"},
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
	all := &budget{z, limit}
	t := tar.NewReader(all)
	for count := 0; ; count++ {
		h, err := t.Next()
		switch {
		case errors.Is(err, io.EOF) && count == 0:
			return &wrongKind{"gzip data without a tar inside", "a compressed tar"}
		case errors.Is(err, io.EOF):
			// Only the end of the gzip data has their checksum.
			_, err := io.Copy(io.Discard, all)
			return err
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
		if err := a.member(h.Name, h.FileInfo().Mode(), link, h.Typeflag == tar.TypeLink); err != nil {
			return err
		}
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
		if err := a.member(strings.ReplaceAll(f.Name, `\`, "/"), f.Mode(), link, false); err != nil {
			return err
		}
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
