// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// maxLinks is how many links to directories may follow one another on a path.
// Linux allows 40 as well (path_resolution(7)).
const maxLinks = 40

// whiteoutPrefix begins names that delete files of lower layers (OCI
// image-spec, layer.md).
const whiteoutPrefix = ".wh."

// Walk lists the file or directory tree root of fsys as entries at dest, an
// in-image path like Entry.Name, in the byte order of their names. A directory
// is listed before what it holds, dest itself included unless it is empty, the
// image's root. Symbolic links are followed as far as fsys lets them.
//
// The error joins all problems: links that lead in circles, nowhere or out of
// fsys, and what is neither a file nor a directory.
func Walk(fsys fs.FS, root, dest string) ([]Entry, error) {
	w := &walker{fsys: fsys}
	w.visit(root, dest, nil, 0)
	if len(w.errs) > 0 {
		return nil, errors.Join(w.errs...)
	}
	slices.SortFunc(w.entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	return w.entries, nil
}

type walker struct {
	fsys    fs.FS
	entries []Entry
	errs    []error
	stopped bool
}

func (w *walker) fail(file, format string, args ...any) {
	w.errs = append(w.errs, fmt.Errorf("%q: "+format, append([]any{file}, args...)...))
}

// visit lists file, which lies in the directories above and was reached
// through as many links to directories.
func (w *walker) visit(file, dest string, above []fs.FileInfo, links int) {
	if strings.HasPrefix(path.Base(dest), whiteoutPrefix) {
		w.fail(file, "a name in %s* would delete files of the base image", whiteoutPrefix)
		return
	}
	info, err := fs.Stat(w.fsys, file)
	if err != nil {
		w.fail(file, "%w", w.explain(file, err))
		return
	}
	switch {
	case info.Mode().IsRegular():
		w.entries = append(w.entries, FileEntry(w.fsys, file, info, dest))
	case info.IsDir():
		w.visitDir(file, dest, info, above, links)
	default:
		w.fail(file, "is a %s; want a file or a directory", kindOf(info.Mode()))
	}
}

func (w *walker) visitDir(file, dest string, info fs.FileInfo, above []fs.FileInfo, links int) {
	if slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, info) }) {
		w.fail(file, "symbolic link leads back to a directory that holds it")
		return
	}
	if links > maxLinks {
		// os.SameFile knows files of the operating system only. Two links in a
		// circle would double the work with each level, so this ends the walk.
		w.fail(file, "more than %d symbolic links on one path; they may lead in a circle", maxLinks)
		w.stopped = true
		return
	}
	list, err := fs.ReadDir(w.fsys, file)
	if err != nil {
		w.fail(file, "%w", w.explain(file, err))
		return
	}
	if dest != "" {
		w.entries = append(w.entries, DirEntry(dest))
	}
	above = append(above, info)
	for _, d := range list {
		if w.stopped {
			return
		}
		n := links
		if d.Type()&fs.ModeSymlink != 0 {
			n++
		}
		w.visit(path.Join(file, d.Name()), path.Join(dest, d.Name()), above, n)
	}
}

// explain says what is wrong with a symbolic link that can't be followed.
func (w *walker) explain(file string, err error) error {
	var perr *fs.PathError
	if errors.As(err, &perr) {
		err = perr.Err // the path is told already
	}
	// os.Root has no error value for this (go.dev/issue/67002).
	if strings.Contains(err.Error(), "path escapes from parent") {
		return fmt.Errorf("symbolic link leads outside: %w", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if info, lerr := fs.Lstat(w.fsys, file); lerr == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("symbolic link to a missing file: %w", err)
		}
	}
	return err
}

// kindOf names what is neither a file nor a directory.
func kindOf(m fs.FileMode) string {
	switch {
	case m&fs.ModeSymlink != 0:
		return "symbolic link"
	case m&fs.ModeNamedPipe != 0:
		return "named pipe"
	case m&fs.ModeSocket != 0:
		return "socket"
	case m&fs.ModeDevice != 0:
		return "device"
	}
	return "special file"
}
