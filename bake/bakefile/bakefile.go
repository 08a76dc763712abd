// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package bakefile reads bake files: YAML that says what to bake into engine
// images. docs/bakefile.md is the reference of the format.
package bakefile

import (
	"fmt"
	"io"
	"io/fs"
	"path"

	"github.com/crane-bake/crane-bake/bake"
)

// Bounds on what a file may ask for. A bake file is written by hand or by a
// small script; what exceeds these is a mistake or an attack.
const (
	maxSize  = 1 << 20  // bytes of a file
	maxNodes = 100_000  // YAML nodes of a file, and values of all its bakes
	maxText  = 16 << 20 // bytes of those
)

// Options choose what to take from a bake file.
type Options struct {
	// Profile names the profile that is merged over the rest; empty is none.
	Profile string
	// Names are the bakes to take from a fleet file; none takes all.
	Names []string
	// LookupEnv gives the variables that values expand; nil gives none.
	LookupEnv func(string) (string, bool)
	// ModelGiven says that the caller has a model of its own, so that a bake
	// without one is no problem.
	ModelGiven bool
}

// A Bake is one bake of a bake file.
type Bake struct {
	// Name is the bake's key in a fleet file; empty in a plain file.
	Name string
	Spec bake.Spec
}

// Load reads the bake file name, a slash-separated name in fsys, and returns
// its bakes in file order, whatever the order of opts.Names. File names in
// their Specs are names in fsys, which is also their FS.
//
// An *Error says all that is wrong with the file, or with opts in view of the
// file; any other error is about reading it.
func Load(fsys fs.FS, name string, opts Options) ([]Bake, error) {
	data, err := read(fsys, name)
	if err != nil {
		return nil, fmt.Errorf("reading bake file %q: %w", name, err)
	}
	bakes, err := Parse(data, name, opts)
	for i := range bakes {
		bakes[i].Spec.FS = fsys
	}
	return bakes, err
}

// read stops one byte after the size that Parse refuses.
func read(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxSize+1))
}

// Parse is Load for a file's content. File names in the Specs are relative to
// what name is relative to; their FS is nil. Any error is an *Error.
func Parse(data []byte, name string, opts Options) ([]Bake, error) {
	var ps problems
	bakes := parse(data, path.Dir(name), opts, &ps)
	if err := ps.err(name); err != nil {
		return nil, err
	}
	return bakes, nil
}

func parse(data []byte, dir string, opts Options, ps *problems) []Bake {
	doc := readDocument(data, ps)
	if doc == nil {
		return nil
	}
	root := buildTree(doc, ps)
	if root == nil {
		return nil
	}
	f := decodeFile(root, ps)
	if !f.check(opts, ps) {
		return nil
	}
	return f.bakesFor(opts, dir, ps)
}
