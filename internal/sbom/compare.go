// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"fmt"
	"slices"
)

// statement is what a bill states, in whichever format.
type statement struct {
	subject       string // SHA-256 in hex, like those below
	images, bases []string
	files         []stated
}

// stated is what a bill states of a file.
type stated struct{ what, path, sum string }

// A Difference is one thing that a bill says and is not so.
type Difference struct {
	Name    string // a path or a digest
	Problem string
}

// Compare compares a bill with the image that it is about. It reports false for
// one that another tool wrote: that may list anything.
func Compare(raw []byte, f Format, img Image) (differences []Difference, own bool, err error) {
	read := readCycloneDX
	if f == SPDX {
		read = readSPDX
	}
	got, own, err := read(raw)
	if err != nil || !own {
		return nil, own, err
	}
	differ := func(name, format string, args ...any) {
		differences = append(differences, Difference{name, fmt.Sprintf(format, args...)})
	}
	want := img.statement()
	if got.subject != want.subject {
		differ("sha256:"+got.subject, "is the image that it is about, not %s", img.Digest)
	}
	compareSets(want.images, got.images, "image", differ)
	compareSets(want.bases, got.bases, "base", differ)
	for _, w := range want.files {
		i := slices.IndexFunc(got.files, func(g stated) bool { return g.what == w.what && g.path == w.path })
		switch {
		case slices.Contains(got.files, w):
		case i < 0:
			differ(w.path, "is not in it; the record has it as %s", w.what)
		default:
			differ(w.path, "has sha256 %s, the record says %s", got.files[i].sum, w.sum)
		}
	}
	for _, g := range got.files {
		if !slices.ContainsFunc(want.files, func(w stated) bool { return g.what == w.what && g.path == w.path }) {
			differ(g.path, "is in it as %s, and not in the record", g.what)
		}
	}
	return differences, true, nil
}

func compareSets(want, got []string, what string, differ func(name, format string, args ...any)) {
	for _, w := range want {
		if !slices.Contains(got, w) {
			differ("sha256:"+w, "is not in it as %s", what)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			differ("sha256:"+g, "is in it as %s, and is none", what)
		}
	}
}

// statement is what the bill of the image states.
func (i Image) statement() statement {
	s := statement{subject: i.Digest.Hex}
	for _, child := range i.Images {
		s.images = append(s.images, child.Digest.Hex)
	}
	for _, b := range i.Bases() {
		s.bases = append(s.bases, b.Digest.Hex)
	}
	for _, f := range i.AllFiles() {
		s.files = append(s.files, stated{f.what(), f.Path, f.SHA256})
	}
	return s
}
