// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// hauledLayer is a layer of a bake whose contents are in the stage.
type hauledLayer struct {
	class   string
	entries []hauledEntry
}

// hauledEntry is an entry without content of its own.
type hauledEntry struct {
	layer.Entry
	sha256  string // of a regular file's content, in hex
	spooled string // where that is in the stage
}

// haul brings the contents of the bake's layers to the stage, and compares
// them with the record.
func (x *extraction) haul(ctx context.Context) error {
	one := x.img.images[0]
	var room int64
	for _, f := range x.assets {
		room += f.Size
	}
	var packed []layer.File
	for i, class := range x.record.Layers {
		n := x.record.Base.Layers + i
		h := hauledLayer{class: class}
		seen := map[string]byte{}
		left := room // a layer has no more than all assets have
		err := x.img.readLayer(ctx, one, n, func(e layer.Entry) error {
			if err := extractable(e, seen); err != nil {
				return integrityf("layer %d: /%s %w", n+1, e.Name, err)
			}
			if left -= e.Size; left < 0 {
				return integrityf("layer %d has more than the %d bytes that its record tells of", n+1, room)
			}
			kept, err := x.keep(e)
			h.entries = append(h.entries, kept)
			if e.Type != tar.TypeDir {
				packed = append(packed, layer.File{Name: e.Name, Type: e.Type, Size: e.Size, SHA256: kept.sha256, Linkname: e.Linkname})
			}
			return err
		})
		if err != nil {
			return err
		}
		x.layers = append(x.layers, h)
	}
	return x.compare(packed)
}

// keep takes an entry's content.
func (x *extraction) keep(e layer.Entry) (hauledEntry, error) {
	h := hauledEntry{Entry: e}
	h.Open = nil
	if e.Type != tar.TypeReg {
		return h, nil
	}
	content, err := e.Open()
	if err != nil {
		return h, err
	}
	defer content.Close() // of a reader within the layer
	h.spooled, h.sha256, err = x.stage.keep(content)
	return h, err
}

// extractable refuses what no bake puts into a layer. It notes the type of the
// entry's name in seen.
func extractable(e layer.Entry, seen map[string]byte) error {
	switch {
	case !fs.ValidPath(e.Name):
		return fmt.Errorf("has a name that is no UTF-8 path: %q", e.Name)
	case seen[e.Name] != 0:
		return errors.New("occurs twice")
	case strings.Contains("/"+e.Name, "/.wh."):
		return errors.New("deletes files of the base")
	}
	seen[e.Name] = e.Type
	for i, c := range e.Name {
		if c == '/' && seen[e.Name[:i]] != 0 && seen[e.Name[:i]] != tar.TypeDir {
			return fmt.Errorf("lies in /%s, which is no directory", e.Name[:i])
		}
	}
	switch e.Type {
	case tar.TypeReg, tar.TypeDir, tar.TypeSymlink, tar.TypeLink:
		return nil
	}
	return errors.New("is neither a file nor a directory nor a link")
}

// maxMismatches is how many mismatches an error names.
const maxMismatches = 5

// compare holds the files of the bake's layers against the record.
func (x *extraction) compare(packed []layer.File) error {
	have, extra := account(x.assets, packed)
	var wrong []string
	for i, f := range x.assets {
		if have[i] == f {
			continue
		}
		switch {
		case !f.Tree && have[i].SHA256 == "":
			wrong = append(wrong, f.Path+" is missing")
		case f.Tree:
			wrong = append(wrong, fmt.Sprintf("%s has %d files of %d bytes with sha256 %s, not %d of %d with %s", f.Path, have[i].Files, have[i].Size, have[i].SHA256, f.Files, f.Size, f.SHA256))
		default:
			wrong = append(wrong, fmt.Sprintf("%s has %d bytes with sha256 %s, not %d with %s", f.Path, have[i].Size, have[i].SHA256, f.Size, f.SHA256))
		}
	}
	for _, f := range extra {
		wrong = append(wrong, "/"+f.Name+" is none of its assets")
	}
	if len(wrong) == 0 {
		return nil
	}
	more := ""
	if n := len(wrong) - maxMismatches; n > 0 {
		wrong, more = wrong[:maxMismatches], fmt.Sprintf("; and %d more", n)
	}
	return integrityf("its layers are not what its record says: %s%s", strings.Join(wrong, "; "), more)
}
