// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package sbom

import "slices"

// statement is what a bill states, in whichever format.
type statement struct {
	subject       string // SHA-256 in hex, like those below; empty for none
	images, bases []string
	files         []stated
}

// stated is what a bill states of a file.
type stated struct{ what, path, sum string }

func (s stated) sameFile(o stated) bool { return s.what == o.what && s.path == o.path }

type differ = func(name, format string, args ...any)

// Compare compares a bill with the image that it is about. It reports false for
// one that not this package alone has written: that may list anything.
//
// differs hears of each thing that the bill says and is not so: of a path or a
// digest, or of the bill as a whole where the name is empty.
func Compare(raw []byte, f Format, img Image, differs func(name, format string, args ...any)) (own bool, err error) {
	read := readCycloneDX
	if f == SPDX {
		read = readSPDX
	}
	got, own, err := read(raw)
	if err != nil || !own {
		return false, err
	}
	want := img.statement()
	switch got.subject {
	case want.subject:
	case "":
		differs("", "has no SHA-256 of the image that it is about, %s", img.Digest)
	default:
		differs("sha256:"+got.subject, "is the image that it is about, not %s", img.Digest)
	}
	compareSets(want.images, got.images, "image", differs)
	compareSets(want.bases, got.bases, "base", differs)
	compareFiles(want.files, got.files, differs)
	return true, nil
}

func compareSets(want, got []string, what string, differs differ) {
	for _, w := range want {
		if !slices.Contains(got, w) {
			differs("sha256:"+w, "is not in it as %s", what)
		}
	}
	for _, g := range got {
		switch {
		case g == "":
			differs("", "lists one %s without SHA-256", what)
		case !slices.Contains(want, g):
			differs("sha256:"+g, "is in it as %s, and is none", what)
		}
	}
}

// compareFiles takes each entry for one file: a file that is in the bill twice
// could be both what the record has and something else.
func compareFiles(want, got []stated, differs differ) {
	var missing []stated
	extra := slices.Clone(got)
	for _, w := range want {
		if i := slices.Index(extra, w); i >= 0 {
			extra = slices.Delete(extra, i, i+1)
		} else {
			missing = append(missing, w)
		}
	}
	for _, w := range missing {
		i := slices.IndexFunc(extra, w.sameFile)
		if i < 0 {
			differs(w.path, "is not in it; the record has it as %s", w.what)
			continue
		}
		differs(w.path, "has %s, the record says %s", extra[i].digest(), w.sum)
		extra = slices.Delete(extra, i, i+1)
	}
	for _, g := range extra {
		switch {
		case slices.Contains(want, g):
			differs(g.path, "is in it twice as %s", g.what)
		case slices.ContainsFunc(want, g.sameFile):
			differs(g.path, "is in it twice as %s, the other time with %s", g.what, g.digest())
		default:
			differs(g.path, "is in it as %s, and not in the record", g.what)
		}
	}
}

func (s stated) digest() string {
	if s.sum == "" {
		return "no digest"
	}
	return "sha256 " + s.sum
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
