// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"fmt"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// BakeFileName is the bake file that Extract writes.
const BakeFileName = "bake.yaml"

// ExtractOptions say what Extract takes; the zero value works.
type ExtractOptions struct {
	// Platform chooses the image of an index, OS/ARCH[/VARIANT]. Empty takes
	// the index, whose platforms must have been baked the same.
	Platform string
}

// An Extraction says what Extract wrote.
type Extraction struct {
	Image     string   `json:"image"` // by digest
	Digest    v1.Hash  `json:"digest"`
	Platforms []string `json:"platforms"`
	BakeFile  string   `json:"bakeFile"`
	Recorded  bool     `json:"recorded"` // whether the image has a record of its bake
	// Exact says that a build of the bake file gives Digest again, of a kind of
	// destination as the image's own. It was tried, short of publishing.
	Exact bool `json:"exact"`
	// NeedsBase says that the bake file names no base, since nobody knows its
	// name.
	NeedsBase bool            `json:"needsBase"`
	Files     []ExtractedFile `json:"files"`
	Notes     []string        `json:"notes"`
}

// ExtractedFile is a file, directory or archive beside the bake file.
type ExtractedFile struct {
	File string `json:"file"` // slash-separated, relative to the bake file
	Role Role   `json:"role"`
	Name string `json:"name,omitempty"` // schema name or slot
	Path string `json:"path"`           // in-image path
	Size int64  `json:"size"`           // in bytes
}

// Extract writes the files that are baked into the image at ref, and the bake
// file that bakes them, to the directory dir, which must be empty or absent. A
// build of the bake file gives the same digest for an image with a record of
// its bake; the result says whether that was proven.
//
// Every file is verified against the record before dir has any. ErrIntegrity is
// for a record that does not fit its image, ErrNotFound for an image that
// nothing is baked into, and ErrUsage for platforms that differ in what is
// baked and for a directory with something in it. An error leaves dir as it
// was. A nil remote is anonymous.
func Extract(ctx context.Context, ref, dir string, remote *Remote, opts ExtractOptions) (*Extraction, error) {
	var chosen []string
	if opts.Platform != "" {
		chosen = []string{opts.Platform}
	}
	platforms, err := parsePlatforms(chosen)
	if err != nil {
		return nil, err
	}
	img, err := open(ctx, "image", ref, remote.orDefault(), platforms, func(int) {})
	if err != nil {
		return nil, err
	}
	defer img.Close() // was opened for reading only
	if opts.Platform != "" && img.index != nil {
		if len(img.images) > 1 {
			return nil, usagef("%s: platform %s is that of %d images: say which variant", img.side, opts.Platform, len(img.images))
		}
		img.desc, img.index = img.images[0].desc, nil
	}
	x := &extraction{img: img, chosen: opts.Platform != ""}
	if err := x.takeApart(); err != nil {
		return nil, &sideError{img.side, err}
	}
	if x.stage, err = newStage(dir); err != nil {
		return nil, err
	}
	defer x.stage.discard()
	return x.extract(ctx)
}

// extraction is an image on its way to a directory.
type extraction struct {
	img    *Base
	chosen bool // the image is that of a platform that was asked for
	stage  *stage
	record *Record // of the first platform; nil without one
	below  *Base   // the image without its bake; nil without a record
	// prefixGiven says that the bake, and not each base by itself, decides
	// CONNECT_PREFIX.
	prefixGiven bool
	patch       patch          // of the first platform
	assets      []RecordedFile // in the order of the bake
	layers      []hauledLayer
	notes       []string
}

func (x *extraction) note(format string, args ...any) {
	x.notes = append(x.notes, fmt.Sprintf(format, args...))
}

// extract does all that comes after the opening.
func (x *extraction) extract(ctx context.Context) (*Extraction, error) {
	var err error
	if x.foreign() {
		err = x.haulForeign(ctx)
	} else {
		err = x.haul(ctx)
	}
	if err != nil {
		return nil, &sideError{x.img.side, err}
	}
	arranged, err := x.arrange(ctx)
	if err != nil {
		return nil, &sideError{x.img.side, err}
	}
	spec := arranged.spec
	exact, err := x.prove(ctx, &spec)
	if err != nil {
		return nil, &sideError{x.img.side, err}
	}
	for _, unsaid := range spec.unsayable() {
		x.note("%s cannot be said in a bake file: give it to the build with a flag", unsaid)
		exact = false
	}
	page, err := spec.bakeFile(x.heading(exact, spec.Base == ""))
	if err != nil {
		return nil, &sideError{x.img.side, err}
	}
	if err := x.stage.write(BakeFileName, page); err != nil {
		return nil, err
	}
	if err := x.stage.commit(); err != nil {
		return nil, err
	}
	out := &Extraction{
		Image: x.img.location.withDigest(x.img.desc.Digest.String()), Digest: x.img.desc.Digest,
		BakeFile: filepath.Join(x.stage.dir, BakeFileName), Recorded: x.record != nil, Exact: exact,
		NeedsBase: spec.Base == "", Files: arranged.files, Notes: append([]string{}, x.notes...),
	}
	for _, one := range x.img.images {
		out.Platforms = append(out.Platforms, one.platform.String())
	}
	return out, nil
}

// heading is the comment on the bake file.
func (x *extraction) heading(exact, needsBase bool) []string {
	lines := []string{"Extracted by crane-bake from " + comment(x.img.location.withDigest(x.img.desc.Digest.String()))}
	if exact {
		lines = append(lines, "crane-bake build -f "+BakeFileName+" -t IMAGE gives the same digest again.")
	}
	switch {
	case needsBase && x.record != nil:
		lines = append(lines, "The engine image was in a file: name it with --base. Its manifest is", x.record.Base.Digest.String())
	case needsBase:
		lines = append(lines, "The image does not tell which engine image it was made of: name one with --base.")
	}
	return lines
}
