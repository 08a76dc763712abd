// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"
)

// A sieve turns the members of one archive, in order, into those of a layer,
// and refuses what must not get there.
type sieve struct {
	destDir string
	limits  Limits
	packed  int64           // size of the archive
	asIs    bool            // ArchiveOptions.AsIs
	count   int             // members so far
	total   int64           // bytes of their contents
	seen    map[string]byte // type by name within the archive
}

func newSieve(destDir string, limits Limits, packed int64, asIs bool) *sieve {
	return &sieve{destDir: destDir, limits: limits, packed: packed, asIs: asIs, seen: make(map[string]byte)}
}

// pass checks a member whose name and link are the archive's, and visits it
// after the directories that it implies.
func (s *sieve) pass(m Member, visit visitor, open func() (io.ReadCloser, error)) error {
	if err := s.admit(m); err != nil {
		return err // of the archive, not of the member
	}
	name, err := memberName(m.Name)
	if err == nil && name != "." {
		m.Linkname, err = s.link(name, m)
	}
	if err == nil && name == "." && m.Type != tar.TypeDir {
		err = errors.New("is the archive's root, but no directory")
	}
	if err != nil {
		return fmt.Errorf("member %q: %w", m.Name, err)
	}
	if name == "." {
		return nil
	}
	isNew, err := s.enter(name, m.Type, visit)
	if err != nil {
		return fmt.Errorf("member %q: %w", m.Name, err)
	}
	if !isNew {
		return nil
	}
	m.Name = path.Join(s.destDir, name)
	return visit(m, open)
}

// admit counts a member against the limits.
func (s *sieve) admit(m Member) error {
	s.count++
	if s.count > s.limits.Entries {
		return fmt.Errorf("has more than %d members", s.limits.Entries)
	}
	if m.Size < 0 || m.Size > s.limits.Bytes {
		return fmt.Errorf("unpacks to more than %d bytes", s.limits.Bytes)
	}
	s.total += m.Size
	return s.limits.check(s.total, s.packed)
}

// enter notes a name and visits its parents that are new. It reports whether
// the name itself is new: a directory may occur again.
func (s *sieve) enter(name string, typ byte, visit visitor) (bool, error) {
	switch was, ok := s.seen[name]; {
	case ok && was == tar.TypeDir && typ == tar.TypeDir:
		return false, nil
	case ok:
		return false, errors.New("occurs twice")
	}
	for i, c := range name {
		if c != '/' {
			continue
		}
		dir := name[:i]
		switch was, ok := s.seen[dir]; {
		case ok && was == tar.TypeDir:
		case ok:
			return false, fmt.Errorf("lies in %q, which is no directory", dir)
		default:
			s.seen[dir] = tar.TypeDir
			d := Member{Name: path.Join(s.destDir, dir), Type: tar.TypeDir, Mode: 0o755}
			if err := visit(d, nil); err != nil {
				return false, err
			}
		}
	}
	s.seen[name] = typ
	return true, nil
}

// link checks the target of a member that is a link, and returns it as the
// layer needs it.
func (s *sieve) link(name string, m Member) (string, error) {
	switch m.Type {
	case tar.TypeSymlink:
		if s.asIs {
			return m.Linkname, nil // it is resolved in the container, like any other
		}
		if err := checkSymlink(name, m.Linkname); err != nil {
			return "", err
		}
		return m.Linkname, nil
	case tar.TypeLink:
		target, err := memberName(m.Linkname)
		if err != nil {
			return "", fmt.Errorf("hard link to %q: %w", m.Linkname, err)
		}
		if was := s.seen[target]; was != tar.TypeReg && was != tar.TypeLink {
			return "", fmt.Errorf("hard link to %q, which is no earlier file", m.Linkname)
		}
		return path.Join(s.destDir, target), nil
	}
	return "", nil
}

// checkSymlink refuses a symbolic link that may lead out of the archive. The
// parents of a link are directories, as enter sees to, so ".." at the start of
// a target is what it looks like. Behind a name it need not be, since the name
// may be a link itself.
func checkSymlink(name, target string) error {
	switch {
	case target == "":
		return errors.New("symbolic link without a target")
	case strings.HasPrefix(target, "/"):
		return fmt.Errorf("symbolic link to %q, which leads out of the archive", target)
	case !utf8.ValidString(target) || strings.Contains(target, "\x00"):
		return fmt.Errorf("symbolic link to %q, which is no UTF-8 text", target)
	}
	depth := strings.Count(name, "/")
	named := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if named {
				return fmt.Errorf(`symbolic link to %q, which has ".." behind a name`, target)
			}
			if depth--; depth < 0 {
				return fmt.Errorf("symbolic link to %q, which leads out of the archive", target)
			}
		default:
			named = true
		}
	}
	return nil
}

// memberName is cleanName for a member of an archive that must not delete files
// of the base image.
func memberName(name string) (string, error) {
	clean, err := cleanName(name)
	if err == nil && strings.Contains("/"+clean, "/"+whiteoutPrefix) {
		err = fmt.Errorf("a name in %s* would delete files of the base image", whiteoutPrefix)
	}
	return clean, err
}

// cleanName returns a name in clean form; "." is the root.
func cleanName(name string) (string, error) {
	switch {
	case name == "":
		return "", errors.New("has no name")
	case strings.HasPrefix(name, "/"):
		return "", errors.New("name is absolute")
	case !utf8.ValidString(name) || strings.Contains(name, "\x00"):
		return "", errors.New("name is no UTF-8 text")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", errors.New(`name has ".." in it`)
		}
	}
	return path.Clean(name), nil
}

// memberMode is a member's mode in a layer.
func memberMode(typ byte, m fs.FileMode) fs.FileMode {
	switch typ {
	case tar.TypeDir:
		return 0o755
	case tar.TypeSymlink:
		return 0o777
	}
	return normalMode(m)
}
