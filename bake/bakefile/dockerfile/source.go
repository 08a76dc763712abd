// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/internal/spelling"
)

// A buildContext is the tree that sources are in.
type buildContext struct {
	fsys       fs.FS
	ignore     *matcher
	ignoreFile string
}

func newBuildContext(opts Options, file string) (*buildContext, error) {
	c := &buildContext{fsys: opts.Context}
	if c.fsys == nil {
		c.fsys = document{}
	}
	var err error
	c.ignore, c.ignoreFile, err = readIgnore(c.fsys, opts.Ignore, file+".dockerignore")
	return c, err
}

// find returns what a source argument names. A pattern may match nothing.
func (c *buildContext) find(arg string, exclude *matcher) ([]source, error) {
	name := path.Clean(strings.TrimLeft(arg, "/"))
	if arg == "" || strings.Trim(arg, "/") == "" {
		name = "."
	}
	if name == ".." || strings.HasPrefix(name, "../") {
		return nil, &fault{
			message: fmt.Sprintf("source %q leads out of the build context", arg),
			hint:    "choose a wider context with --context, or move the file",
		}
	}
	if !fs.ValidPath(name) || len(name) > maxPath {
		return nil, fmt.Errorf("source %s is not a path", clip(arg))
	}
	if !wild(name) {
		return c.source(name, exclude)
	}
	names, err := c.glob(name)
	if err != nil {
		return nil, err
	}
	var sources []source
	for _, match := range names {
		if c.ignores(match) {
			continue
		}
		s, err := c.source(match, exclude)
		if err != nil {
			return nil, err
		}
		sources = append(sources, s...)
	}
	return sources, nil
}

// source is what name names, or nothing where exclude matches it.
func (c *buildContext) source(name string, exclude *matcher) ([]source, error) {
	real, err := c.follow(name)
	if err != nil {
		return nil, c.missing(name, err)
	}
	info, err := fs.Lstat(c.fsys, real)
	if err != nil {
		return nil, c.missing(name, err)
	}
	for _, n := range []string{name, real} {
		if c.ignores(n) {
			return nil, &fault{
				message: fmt.Sprintf("source %q is excluded by %s", n, c.ignoreFile),
				hint:    fmt.Sprintf("add !%s to it", n),
				cause:   &fs.PathError{Op: "open", Path: n, Err: fs.ErrNotExist},
			}
		}
	}
	s := source{path: real, base: path.Base(name), isDir: info.IsDir()}
	switch {
	case s.isDir:
		if c.ignore != nil || exclude != nil {
			s.skip = (&filter{c, exclude, real}).skip
		}
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("source %q is neither a file nor a directory", name)
	case exclude.matches(s.base):
		return nil, nil
	}
	return []source{s}, nil
}

// missing is the error for a source that err keeps from being read.
func (c *buildContext) missing(name string, err error) error {
	var f *fault
	if errors.As(err, &f) {
		return err
	}
	if !errors.Is(err, fs.ErrNotExist) {
		var p *fs.PathError
		if errors.As(err, &p) {
			err = p.Err
		}
		return &fault{message: fmt.Sprintf("source %q: %v", name, err), cause: err}
	}
	f = &fault{message: fmt.Sprintf("source %q is not in the build context", name), cause: err}
	if entries, err := fs.ReadDir(c.fsys, path.Dir(name)); err == nil {
		var names []string
		for _, e := range entries {
			names = append(names, path.Join(path.Dir(name), e.Name()))
		}
		if slices.Contains(names, name) {
			f.message = fmt.Sprintf("source %q is a symbolic link to nothing in the build context", name)
		} else if near := spelling.Nearest(name, names); near != "" {
			f.hint = fmt.Sprintf("did you mean %q?", near)
		}
	}
	return f
}

// maxLinks is how many symbolic links a path may lead through; Linux has the
// same limit.
const maxLinks = 40

// follow resolves symbolic links in name. As in Docker, the context is the root
// of absolute ones.
func (c *buildContext) follow(name string) (string, error) {
	real, rest, links := ".", strings.Split(name, "/"), 0
	for len(rest) > 0 {
		part := rest[0]
		rest = rest[1:]
		switch part {
		case "", ".":
			continue
		case "..":
			if real == "." {
				return "", &fault{message: fmt.Sprintf("source %q is a symbolic link that leads out of the build context", name)}
			}
			real = path.Dir(real)
			continue
		}
		next := path.Join(real, part)
		info, err := fs.Lstat(c.fsys, next)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			real = next
			continue
		}
		target, err := fs.ReadLink(c.fsys, next)
		if err != nil {
			return "", err
		}
		if links++; links > maxLinks {
			return "", &fault{message: fmt.Sprintf("source %q leads through more than %d symbolic links", name, maxLinks)}
		}
		if path.IsAbs(target) {
			real = "."
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return real, nil
}

// isDir reports whether name is a directory, not a link to one.
func (c *buildContext) isDir(name string) bool {
	info, err := fs.Lstat(c.fsys, name)
	return err == nil && info.IsDir()
}

func wild(s string) bool { return strings.ContainsAny(s, "*?[") }

// glob returns the names that match pattern, sorted. Links are followed up to
// the first wildcard, and not after it.
func (c *buildContext) glob(pattern string) ([]string, error) {
	parts := strings.Split(pattern, "/")
	first := slices.IndexFunc(parts, wild)
	dirs := []string{path.Join(parts[:first]...)}
	if dirs[0] == "" {
		dirs[0] = "."
	}
	for i, part := range parts[first:] {
		if _, err := path.Match(part, ""); err != nil {
			return nil, fmt.Errorf("source %s: %w", clip(pattern), err)
		}
		var matches []string
		for _, dir := range dirs {
			real := dir
			if i == 0 {
				var err error
				if real, err = c.follow(dir); err != nil {
					return nil, c.missing(dir, err)
				}
			}
			entries, err := fs.ReadDir(c.fsys, real)
			if err != nil {
				return nil, c.missing(dir, err)
			}
			for _, e := range entries {
				ok, _ := path.Match(part, e.Name()) // was checked
				if ok && (i == len(parts)-first-1 || e.IsDir()) {
					matches = append(matches, path.Join(real, e.Name()))
				}
			}
		}
		dirs = matches
	}
	slices.Sort(dirs)
	return dirs, nil
}
