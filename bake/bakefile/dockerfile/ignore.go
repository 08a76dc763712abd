// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// defaultIgnore is the ignore file of a context.
const defaultIgnore = ".dockerignore"

// readIgnore reads the ignore file that counts, and returns its name. own is
// the name of the Dockerfile's own one, content its content if not nil. There
// may be none.
func readIgnore(fsys fs.FS, content []byte, own string) (*matcher, string, error) {
	name := own
	if content == nil {
		for _, name = range []string{own, defaultIgnore} {
			var err error
			content, err = readSmall(fsys, name)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, "", fmt.Errorf("reading ignore file %q: %w", name, err)
			}
			break
		}
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(content))
	if err == nil {
		var m *matcher
		if m, err = newMatcher(patterns); err == nil {
			return m, name, nil
		}
	}
	return nil, "", fmt.Errorf("reading ignore file %q: %w", name, err)
}

// readSmall reads a file of at most maxSize bytes.
func readSmall(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSize+1))
	if err == nil && len(data) > maxSize {
		err = fmt.Errorf("it is larger than %d bytes", maxSize)
	}
	return data, err
}

// A matcher matches names against patterns. A nil one matches nothing.
type matcher struct {
	mu sync.Mutex // patternmatcher compiles patterns as it matches
	m  *patternmatcher.PatternMatcher
}

// newMatcher returns nil without patterns.
func newMatcher(patterns []string) (*matcher, error) {
	m, err := patternmatcher.New(patterns)
	if err != nil || len(m.Patterns()) == 0 {
		return nil, err
	}
	// A pattern may be found to be bad only where it is used.
	if _, err := m.MatchesOrParentMatches("a/b"); err != nil {
		return nil, err
	}
	return &matcher{m: m}, nil
}

// matches decides on name as a walk from the top would: what was found for a
// directory counts for what is in it.
func (m *matcher) matches(name string) bool {
	if m == nil || name == "." {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var info patternmatcher.MatchInfo
	var matched bool
	for i, c := range name + "/" {
		if c == '/' {
			matched, info, _ = m.m.MatchesUsingParentResults(name[:i], info) // patterns were checked
		}
	}
	return matched
}

// exceptions reports whether a directory that matches may hold what does not.
func (m *matcher) exceptions() bool { return m != nil && m.m.Exclusions() }

// A filter leaves out what the context's ignore file says, and what exclude
// says of names below top.
type filter struct {
	context *buildContext
	exclude *matcher
	top     string
}

func (f *filter) matches(name string) bool {
	if f.context.ignore.matches(name) {
		return true
	}
	if f.exclude == nil || name == f.top {
		return false
	}
	below := name
	if f.top != "." {
		below = strings.TrimPrefix(name, f.top+"/")
	}
	return f.exclude.matches(below)
}

// ignores reports whether the ignore file leaves out name altogether.
func (c *buildContext) ignores(name string) bool { return (&filter{context: c}).skip(name) }

var errKept = errors.New("kept")

// skip is the Skip of a copy. A directory that an exception reaches into is
// not skipped.
func (f *filter) skip(name string) bool {
	if !f.matches(name) {
		return false
	}
	if !f.context.ignore.exceptions() && !f.exclude.exceptions() || !f.context.isDir(name) {
		return true
	}
	err := fs.WalkDir(f.context.fsys, name, func(inner string, _ fs.DirEntry, err error) error {
		if err == nil && !f.matches(inner) {
			return errKept
		}
		return nil // what cannot be read is for the copy to say, if it gets there
	})
	return err != errKept
}
