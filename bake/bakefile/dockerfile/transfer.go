// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// A transfer is a COPY or an ADD.
type transfer struct {
	word         string
	files        instructions.SourcesAndDest
	chown, chmod string
	excludes     []string
	unpack       bool
}

func newTransfer(c any) transfer {
	if a, ok := c.(*instructions.AddCommand); ok {
		return transfer{"ADD", a.SourcesAndDest, a.Chown, a.Chmod, a.ExcludePatterns, a.Unpack == nil || *a.Unpack}
	}
	a := c.(*instructions.CopyCommand)
	return transfer{"COPY", a.SourcesAndDest, a.Chown, a.Chmod, a.ExcludePatterns, false}
}

var (
	url     = lazyregexp.New(`(?i)^(https?|git|ssh|oci|docker-image)://`)
	scpLike = lazyregexp.New(`^[\w-]+@[\w.-]+:`) // a Git repository behind SSH
)

func isURL(source string) bool { return url().MatchString(source) || scpLike().MatchString(source) }

// checkSource refuses what is no file of the context.
func (t transfer) checkSource(source string) error {
	switch {
	case isURL(source) && t.word == "ADD":
		return addURL.fault()
	case isURL(source):
		return &fault{message: "COPY of a URL is not possible, in Docker neither", hint: refusals[addURL].way}
	}
	return nil
}

// transfer follows COPY and ADD.
func (e *evaluation) transfer(t transfer, code string) error {
	owner, err := parseOwner(t.chown)
	if err != nil {
		return err
	}
	mode, err := parseMode(t.chmod)
	if err != nil {
		return err
	}
	dest, err := e.destination(t.files.DestPath)
	if err != nil {
		return err
	}
	sources, err := e.sources(t)
	if err != nil {
		return err
	}
	for _, s := range sources {
		c := bake.Copy{FS: s.fsys, Path: s.path, Dest: dest.path, Owner: owner, Mode: mode, Skip: s.skip, Instruction: code}
		switch {
		case s.isDir:
		case s.unpack:
			// As in BuildKit, whose unpacking knows no --chmod.
			c.Unpack, c.Mode = true, nil
		case dest.isDir || e.isDir(dest.path):
			c.Dest = path.Join(dest.path, s.base)
		case len(sources) > 1:
			return &fault{
				message: fmt.Sprintf("%s of several files: the destination %q is not known to be a directory", t.word, t.files.DestPath),
				hint:    fmt.Sprintf("write %q", t.files.DestPath+"/"),
			}
		}
		if err := e.put(c); err != nil {
			return err
		}
	}
	return nil
}

// A source is one thing that a transfer copies.
type source struct {
	fsys   fs.FS // nil for the context
	path   string
	base   string // its name in a destination that is a directory
	isDir  bool
	unpack bool
	skip   func(name string) bool
}

// sources are those of t, files of the context before here-documents.
func (e *evaluation) sources(t transfer) ([]source, error) {
	exclude, err := newMatcher(t.excludes)
	if err != nil {
		return nil, fmt.Errorf("--exclude: %w", err)
	}
	var sources []source
	for _, name := range t.files.SourcePaths {
		if err := t.checkSource(name); err != nil {
			return nil, err
		}
		found, err := e.context.find(name, exclude)
		if err != nil {
			return nil, err
		}
		for i, s := range found {
			if t.unpack && !s.isDir {
				if found[i].unpack, err = e.context.isArchive(s.path); err != nil {
					return nil, err
				}
			}
		}
		sources = append(sources, found...)
	}
	for _, d := range t.files.SourceContents {
		name := d.Path
		if !fs.ValidPath(name) || name == "." || strings.Contains(name, "/") {
			return nil, fmt.Errorf("here-document %s: want the name of a file", clip(name))
		}
		sources = append(sources, source{fsys: document{name, d.Data}, path: name, base: name})
	}
	return sources, nil
}
