// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// maxTarget is the longest target of a symbolic link on Linux (PATH_MAX).
const maxTarget = 4096

// walkZip passes the members of a zip archive through s, in the order of its
// directory.
func walkZip(f *unchangedFile, s *sieve, visit visitor) error {
	at, ok := f.File.(io.ReaderAt)
	if !ok {
		return errors.New("a zip archive can be read from a file system whose files are io.ReaderAt only")
	}
	head := make([]byte, tarBlock)
	n, err := at.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return err
	}
	if err := want(head[:n], zipKind, zipContent); err != nil {
		return err
	}
	r, err := zip.NewReader(at, s.packed)
	if errors.Is(err, zip.ErrFormat) {
		return fmt.Errorf("is truncated or damaged: %w", err)
	}
	if err != nil {
		return err
	}
	for _, z := range r.File {
		m, err := zipMember(z)
		if err != nil {
			return fmt.Errorf("member %q: %w", z.Name, err)
		}
		if err := s.pass(m, visit, z.Open); err != nil {
			return err
		}
	}
	return nil
}

func zipMember(z *zip.File) (Member, error) {
	m := Member{Name: z.Name}
	switch {
	case strings.Contains(z.Name, `\`):
		return m, errors.New("name has a backslash in it")
	case z.Flags&1 != 0:
		return m, errors.New("is encrypted")
	case z.Method != zip.Store && z.Method != zip.Deflate:
		return m, fmt.Errorf("compression method %d; want deflate or none", z.Method)
	}
	switch mode := z.Mode(); mode.Type() {
	case 0:
		m.Type, m.Size = tar.TypeReg, int64(z.UncompressedSize64)
	case fs.ModeDir:
		m.Type = tar.TypeDir
	case fs.ModeSymlink:
		m.Type = tar.TypeSymlink
		target, err := zipTarget(z)
		if err != nil {
			return m, err
		}
		m.Linkname = target
	default:
		return m, fmt.Errorf("is a %s; want a file, directory or symbolic link", kindOf(mode))
	}
	m.Mode = memberMode(m.Type, z.Mode())
	return m, nil
}

// zipTarget reads the target of a symbolic link, which is its content.
func zipTarget(z *zip.File) (string, error) {
	if z.UncompressedSize64 > maxTarget {
		return "", fmt.Errorf("symbolic link with a target of %d bytes", z.UncompressedSize64)
	}
	r, err := z.Open()
	if err != nil {
		return "", err
	}
	defer r.Close()
	target, err := io.ReadAll(io.LimitReader(r, maxTarget+1))
	return string(target), err
}
