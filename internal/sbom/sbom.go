// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package sbom writes bills of materials of baked images, and compares them
// with the images. What it writes follows from the image alone: the same image
// has the same bill, byte for byte, wherever and whenever it is written.
//
// A bill lists what the bake has added, file by file, and names the base by its
// digest. It does not say what is in the base.
package sbom

import (
	"crypto/sha1" // RFC 9562 asks for it
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Tool is the name of the tool in a bill: bills by others are not judged.
const Tool = "crane-bake"

// Format is a format of bills.
type Format string

// The formats.
const (
	CycloneDX Format = "cyclonedx" // CycloneDX 1.6, as JSON
	SPDX      Format = "spdx"      // SPDX 2.3, as JSON
)

// MediaType is the format's media type (IANA's registry).
func (f Format) MediaType() string {
	if f == SPDX {
		return "application/spdx+json"
	}
	return "application/vnd.cyclonedx+json"
}

// FormatOf is the format of a media type, or "".
func FormatOf(mediaType string) Format {
	for _, f := range []Format{CycloneDX, SPDX} {
		if f.MediaType() == mediaType {
			return f
		}
	}
	return ""
}

// An Image is a baked image, or an index of them.
type Image struct {
	Name     string // for people
	Digest   v1.Hash
	Platform string  // of an index: empty
	Created  string  // RFC 3339, in whole seconds of UTC; empty where the image does not say
	Base     Base    // of an index: the index below, or zero
	Files    []File  // of an index: empty
	Images   []Image // of an index
}

// Base is what an image was baked on.
type Base struct {
	Name   string // fully qualified; empty for one in a file
	Digest v1.Hash
}

// File is a file that was baked in, or a directory or archive as one.
type File struct {
	Role   string // model, schema, stream, attachment, unpack, asset
	Name   string // that it is bound to, if any
	Path   string // in the image
	Size   int64
	SHA256 string // in hex; of a tree that of its list of files; of a link "link:TARGET"
	Tree   bool   // a directory or archive
	Files  int    // how many files a tree has
}

// Encode is the bill of img.
func Encode(img Image, f Format) ([]byte, error) {
	switch f {
	case CycloneDX:
		return encodeCycloneDX(img)
	case SPDX:
		return encodeSPDX(img)
	}
	return nil, fmt.Errorf("format %q: want %s or %s", f, CycloneDX, SPDX)
}

// what is the file in words: "schema input".
func (f File) what() string { return strings.TrimSpace(f.Role + " " + f.Name) }

const linkPrefix = "link:"

// sum is what stands for the file's content. Where that is no digest of its
// bytes, it has a key.
func (f File) sum() (key, value string) {
	if target, ok := strings.CutPrefix(f.SHA256, linkPrefix); ok {
		return propLink, target
	}
	if f.Tree {
		return propTreeSHA256, f.SHA256
	}
	return "", f.SHA256
}

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndex(path, "/")+1:] }

// AllFiles is every file of the image or of an index's images, each once.
func (i Image) AllFiles() []File {
	all := i.Files
	for _, child := range i.Images {
		all = append(all[:len(all):len(all)], child.Files...)
	}
	return unique(all)
}

// Bases is the bases of the image and of an index's images, each once.
func (i Image) Bases() []Base {
	all := []Base{i.Base}
	for _, child := range i.Images {
		all = append(all, child.Base)
	}
	return slices.DeleteFunc(unique(all), func(b Base) bool { return b == Base{} })
}

func unique[T comparable](all []T) []T {
	seen := map[T]bool{}
	var out []T
	for _, v := range all {
		if !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out
}

// uuid is the version 5 UUID of a URL (RFC 9562, section 5.5).
func uuid(url string) string {
	namespace := []byte{0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}
	sum := sha1.Sum(append(namespace, url...))
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[0:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// id is a UUID for the bill of img in a format.
func (i Image) id(f Format) string {
	return uuid("https://github.com/crane-bake/crane-bake/sbom/" + string(f) + "/" + i.Digest.String())
}
