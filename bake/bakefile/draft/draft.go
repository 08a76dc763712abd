// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package draft writes the bake file for a directory of files that has none.
//
// It reads what the model's annotations ask for and looks among the files for
// what answers: by name, by content, by the side of the slots. It decides
// nothing that two files could answer; what it leaves open is a line to fill
// in, and a question.
package draft

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// A Draft is the bake file for a directory.
type Draft struct {
	// Content is the bake file. Every choice in it has a comment that says why
	// it was made. Without a model it has none of the keys that are required.
	Content []byte
	// Questions are what was left open, in the order of the file; without any
	// the bake file is complete.
	Questions []Question
}

// A Question is one line of the bake file that was left to fill in.
type Question struct {
	Line int    // in Content, 1-based
	Text string // on one line
}

// New drafts the bake file for the files of dir, a name in fsys such as ".".
// File names in the draft are names in fsys, as those of a bake file in its
// root are. Hidden files, files that look like credentials, and directories
// with a bake file of their own are not looked at. The error is about reading
// the directory; files that cannot be read are left out.
func New(fsys fs.FS, dir string) (Draft, error) {
	found, err := find(fsys, dir)
	if err != nil {
		return Draft{}, fmt.Errorf("looking through %q: %w", dir, err)
	}
	c := choose(found)
	return c.render(), nil
}

// choices is what a draft decides, and what it cannot.
type choices struct {
	*findings
	model    *file   // nil where open
	modelWhy string  // why it, or why none
	models   []*file // candidates of an open model
	schemas  []*want
	streams  []*want
	unpack   []*file
	assets   []asset
	left     []string // names of files that the bake leaves out
}

// choose decides, in the order in which one choice rests on another.
func choose(found *findings) *choices {
	c := &choices{findings: found}
	c.chooseModel()
	if c.model != nil {
		c.schemas = c.matchSchemas(c.namedByModel())
		c.streams = c.matchStreams()
		c.schemas = append(c.schemas, c.matchSchemas(c.namedByStreams())...)
	}
	c.unpack = found.archives
	c.chooseAssets()
	return c
}

// chooseModel narrows the candidates step by step.
func (c *choices) chooseModel() {
	left := c.findings.models
	if len(left) == 1 {
		c.model, c.modelWhy = left[0], "the only model file here"
		return
	}
	for _, step := range []struct {
		why  string
		keep func(*file) bool
	}{
		{"the only one whose annotations name schemas", (*file).namesSchemas},
		{"the only one that the check finds no error in", func(f *file) bool { return !f.broken }},
		{"the only one beside this file", func(f *file) bool { return f.depth == 0 }},
		{"the only one with that name", func(f *file) bool { return strings.EqualFold(f.stem(), "model") }},
	} {
		kept := slices.DeleteFunc(slices.Clone(left), func(f *file) bool { return !step.keep(f) })
		if len(kept) == 1 {
			c.model, c.modelWhy = kept[0], step.why
			return
		}
		if len(kept) > 0 {
			left = kept
		}
	}
	c.models = left
}

// used tells whether the bake has f already.
func (c *choices) used(f *file) bool {
	taken := func(w *want) bool { return w.chosen == f }
	return f == c.model || slices.ContainsFunc(c.schemas, taken) || slices.ContainsFunc(c.streams, taken)
}
