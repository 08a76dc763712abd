// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

// inspectText is the form for people. Platforms that were baked the same are
// shown once.
func inspectText(bakes []*bakeOf) string {
	s := &sheet{}
	for i, b := range bakes {
		if i > 0 {
			s.b.WriteByte('\n')
		}
		b.head(s)
		b.files(s)
		b.layers(s)
		s.section("env", changed(b.Env, func(k string) bool {
			_, replaced := b.Env.Replaced[k]
			return slices.Contains(engine.Variables(), k) && !replaced // it is what the files above show
		}))
		s.section("labels", changed(b.Labels, nil))
		s.section("annotations", changed(b.Annotations, nil))
		var settings [][]string
		for _, k := range slices.Sorted(maps.Keys(b.Settings)) {
			settings = append(settings, []string{"  " + k, string(b.Settings[k])})
		}
		s.section("config", settings)
		for i, f := range foundIn("", b.Findings) {
			if i == 0 {
				s.b.WriteByte('\n')
			}
			writeFinding(&s.b, f, nil)
		}
	}
	return s.b.String()
}

// A sheet is a text of aligned tables.
type sheet struct{ b strings.Builder }

func (s *sheet) table(rows ...[]string) {
	t := tabwriter.NewWriter(&s.b, 0, 0, 2, ' ', 0)
	for _, cells := range rows {
		row(t, cells...)
	}
	t.Flush() // into memory
}

// section writes a table under a title, if there is anything in it.
func (s *sheet) section(title string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	fmt.Fprintf(&s.b, "\n%s\n", title)
	s.table(rows...)
}

// head tells what was baked on what.
func (b *bakeOf) head(s *sheet) {
	title := "platform"
	if len(b.platforms) > 1 {
		title = "platforms"
	}
	rows := [][]string{{"image", b.image}, {title, strings.Join(b.platforms, ", ")}, {"base", b.baseText()}}
	if b.Bindings.ConnectPrefix != "" {
		prefix := b.Bindings.ConnectPrefix
		if _, set := b.Env.Set["CONNECT_PREFIX"]; !set && b.Recorded {
			prefix += " (the base's own)"
		}
		rows = append(rows, []string{"connect", prefix})
	}
	if !b.Recorded {
		rows = append(rows, []string{"record", "none: found by the variables and by reading layers"})
	}
	s.table(rows...)
}

// baseText names the base as exactly as the image tells.
func (b *bakeOf) baseText() string {
	name, digest := b.Base.Name, b.baseDigest()
	switch {
	case digest == nil && name == "":
		return "unknown"
	case digest == nil:
		return name
	case name == "" && b.Recorded:
		return digest.String() + " (from a file)"
	case name == "":
		return digest.String()
	}
	return name + "@" + digest.String()
}

// baseDigest is the digest of the base's index, or else of its manifest where
// that is the same for all platforms. It is nil where neither is known.
func (b *bakeOf) baseDigest() *v1.Hash {
	switch {
	case b.Base.Index != nil:
		return b.Base.Index
	case len(b.platforms) == 1:
		return b.Base.Digest
	}
	return nil
}

func (b *bakeOf) files(s *sheet) {
	if len(b.Files) == 0 {
		return
	}
	classes := map[v1.Hash]string{}
	for i := range b.Layers {
		classes[b.Layers[i].Digest] = b.layerName(i)
	}
	rows := [][]string{{"role", "name", "path", "size", "sha256", "layer"}}
	for _, f := range b.Files {
		path, layer := f.Path, ""
		if f.Tree {
			path = fmt.Sprintf("%s/ (%s)", strings.TrimSuffix(path, "/"), plural(f.Files, "file"))
		}
		if f.Layer != nil {
			layer = classes[*f.Layer]
		}
		rows = append(rows, []string{string(f.Role), f.Name, path, size(f.Size), short(f.SHA256), layer})
	}
	s.b.WriteByte('\n')
	s.table(rows...)
}

func (b *bakeOf) layers(s *sheet) {
	if len(b.Layers) == 0 {
		return
	}
	rows := [][]string{{"layer", "size", "digest"}}
	for i, l := range b.Layers {
		rows = append(rows, []string{b.layerName(i), size(l.Size), l.Digest.String()})
	}
	s.b.WriteByte('\n')
	s.table(rows...)
}

// layerName is the class of a layer, or where nobody recorded it, a number.
func (b *bakeOf) layerName(i int) string {
	if !b.Recorded {
		return strconv.Itoa(i + 1)
	}
	return b.Layers[i].Class
}

// changed is rows of what a bake set, with what that replaced; skip leaves keys
// out.
func changed(c bake.InspectedChange, skip func(key string) bool) [][]string {
	var rows [][]string
	for _, k := range slices.Sorted(maps.Keys(c.Set)) {
		if skip != nil && skip(k) {
			continue
		}
		cells := []string{"  " + k + "=" + c.Set[k]}
		if old, replaced := c.Replaced[k]; replaced {
			cells = append(cells, "was "+old)
		}
		rows = append(rows, cells)
	}
	return rows
}
