// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// WalkAsIs lists the file or directory tree root of fsys as entries at dest
// like Walk, but keeps modes, and symbolic links as links; root itself may be a
// link, and is followed. Names in fsys for which skip is true are left out, and
// so is what they hold. A nil skip is true for none. Like Walk, it refuses
// names that would delete files of lower layers.
func WalkAsIs(fsys fs.FS, root, dest string, skip func(name string) bool) ([]Entry, error) {
	w := &keeper{fsys: fsys, skip: skip}
	info, err := fs.Stat(fsys, root)
	if err != nil {
		return nil, err
	}
	w.keep(root, dest, info)
	if len(w.errs) > 0 {
		return nil, errors.Join(w.errs...)
	}
	slices.SortFunc(w.entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return w.entries, nil
}

type keeper struct {
	fsys    fs.FS
	skip    func(name string) bool
	entries []Entry
	errs    []error
}

func (w *keeper) keep(file, dest string, info fs.FileInfo) {
	if strings.HasPrefix(path.Base(dest), whiteoutPrefix) {
		w.errs = append(w.errs, fmt.Errorf("%q: a name in %s* would delete files of the base image", file, whiteoutPrefix))
		return
	}
	e := Entry{Name: dest, Mode: keptMode(info.Mode())}
	switch mode := info.Mode(); {
	case mode.IsRegular():
		e = FileEntry(w.fsys, file, info, dest)
		e.Mode = keptMode(mode)
	case mode.IsDir():
		e.Type = tar.TypeDir
		w.keepDir(file, dest)
	case mode&fs.ModeSymlink != 0:
		e.Type, e.Mode = tar.TypeSymlink, 0o777
		target, err := fs.ReadLink(w.fsys, file)
		if err != nil {
			w.errs = append(w.errs, fmt.Errorf("%q: %w", file, err))
			return
		}
		e.Linkname = target
	default:
		w.errs = append(w.errs, fmt.Errorf("%q: is a %s; want a file, directory or link", file, kindOf(mode)))
		return
	}
	if dest != "" {
		w.entries = append(w.entries, e)
	}
}

func (w *keeper) keepDir(file, dest string) {
	list, err := fs.ReadDir(w.fsys, file)
	if err != nil {
		w.errs = append(w.errs, fmt.Errorf("%q: %w", file, err))
		return
	}
	for _, d := range list {
		name := path.Join(file, d.Name())
		if w.skip != nil && w.skip(name) {
			continue
		}
		info, err := d.Info()
		if err != nil {
			w.errs = append(w.errs, fmt.Errorf("%q: %w", name, err))
			continue
		}
		w.keep(name, path.Join(dest, d.Name()), info)
	}
}

// keptMode is the part of a mode that a tar header holds.
func keptMode(m fs.FileMode) fs.FileMode {
	return m & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
}

// contentKind tells an archive's kind, as archiveKind names it, by its first
// bytes.
func contentKind(fsys fs.FS, file string) (string, error) {
	f, err := fsys.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head := make([]byte, tarBlock)
	n, err := io.ReadFull(f, head)
	if err != nil && err != io.EOF && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	head = head[:n]
	switch content := sniff(head); {
	case content == gzipContent:
		return ".tar.gz", nil
	case content == zstdContent:
		return ".tar.zst", nil
	case isTar(head):
		return ".tar", nil
	default:
		return "", fmt.Errorf("content is %s; want a tar, plain or compressed by gzip or zstd", content)
	}
}
