// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// replaceable is the file that name leads to, and the mode of the one that is
// there already; zero where there is none.
func replaceable(name string) (path string, mode fs.FileMode, err error) {
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return linked(name), 0, nil
	case err != nil:
		return "", 0, err
	case info.IsDir():
		return "", 0, fmt.Errorf("%s is a directory, not a file", name)
	case !info.Mode().IsRegular():
		return "", 0, fmt.Errorf("%s is %w", name, ErrNotRegular)
	}
	path, err = filepath.EvalSymlinks(name)
	return path, info.Mode().Perm(), err
}

// linked is the absent file that name, if it is a link, leads to.
func linked(name string) string {
	const hops = 40 // as many as Linux follows
	for range hops {
		to, err := os.Readlink(name)
		if err != nil {
			break
		}
		if !filepath.IsAbs(to) {
			dir, _ := filepath.Split(name)
			to = dir + to // not cleaned: what is before a ".." may be a link
		}
		name = to
	}
	return name
}

// createBeside makes a new file in the directory of name.
func createBeside(name string) (*os.File, error) {
	dir, base := filepath.Split(name)
	return createTemp(dir, "."+base+"-")
}
