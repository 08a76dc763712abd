// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
)

// diffText is the form for people: - is what A has, + what B has, ~ what
// changed. Platforms with the same differences are shown once.
func diffText(d *bake.Difference) string {
	if d.Identical && d.A.Digest == d.B.Digest {
		return fmt.Sprintf("identical: %s\n", d.A.Digest)
	}
	s := &sheet{}
	s.table([]string{"---", d.A.Image}, []string{"+++", d.B.Image})
	if d.Identical {
		s.b.WriteString("\nidentical for every platform that was compared\n")
		return s.b.String()
	}
	var platforms [][]string
	for _, p := range d.OnlyA {
		platforms = append(platforms, []string{"  - " + p})
	}
	for _, p := range d.OnlyB {
		platforms = append(platforms, []string{"  + " + p})
	}
	s.section("platforms", platforms)
	groups := alike(d.Platforms)
	for _, g := range groups {
		if len(groups) > 1 {
			fmt.Fprintf(&s.b, "\n%s:\n", printable(strings.Join(g.platforms, ", ")))
		}
		before := s.b.Len()
		g.write(s)
		switch {
		case g.Identical:
			s.b.WriteString("identical\n")
		case s.b.Len() == before:
			s.b.WriteString("\nthe bakes are the same; the images differ in something else\n")
		}
	}
	if len(groups) == 0 && len(platforms) == 0 {
		s.b.WriteString("\nthe images are the same; the indexes differ\n")
	}
	return s.b.String()
}

// A diffGroup is platforms with the same differences.
type diffGroup struct {
	platforms []string
	bake.PlatformDifference
}

// alike joins platforms whose differences are the same, but for the digests of
// their bases.
func alike(all []bake.PlatformDifference) []*diffGroup {
	key := func(p bake.PlatformDifference) string {
		p.Platform, p.Layers.NewBytes = "", 0
		if p.Base != nil {
			base := *p.Base
			base.A.Digest, base.B.Digest, base.A.Layers, base.B.Layers = nil, nil, 0, 0
			p.Base = &base
		}
		raw, err := json.Marshal(p)
		if err != nil {
			return p.Platform
		}
		return string(raw)
	}
	var groups []*diffGroup
	for _, p := range all {
		i := slices.IndexFunc(groups, func(g *diffGroup) bool { return key(g.PlatformDifference) == key(p) })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &diffGroup{PlatformDifference: p})
		}
		groups[i].platforms = append(groups[i].platforms, p.Platform)
		if groups[i].Layers.NewBytes != p.Layers.NewBytes {
			groups[i].Layers.NewBytes = -1
		}
	}
	return groups
}

func (g *diffGroup) write(s *sheet) {
	if g.Base != nil {
		s.section("base", g.baseRows())
	}
	if g.ConnectPrefix != nil {
		s.section("connect prefix", changeRows([]bake.Change{{A: g.ConnectPrefix.A, B: g.ConnectPrefix.B}}))
	}
	s.section("bindings", changeRows(g.Bindings))
	s.section("files", fileRows(g.Files))
	s.section("schemas", schemaRows(g.Schemas))
	s.section("env", changeRows(g.Env))
	s.section("labels", changeRows(g.Labels))
	s.section("annotations", changeRows(g.Annotations))
	s.section("config", changeRows(g.Settings))
	s.section("layers", g.layerRows())
}

// baseRows is the bases, by index where they were chosen from one.
func (g *diffGroup) baseRows() [][]string {
	text := func(b bake.InspectedBase) string {
		digest := b.Index
		if digest == nil || reflect.DeepEqual(g.Base.A.Index, g.Base.B.Index) {
			digest = b.Digest
		}
		switch {
		case digest == nil && b.Name == "":
			return "unknown"
		case digest == nil:
			return b.Name
		case b.Name == "":
			return digest.String()
		}
		return b.Name + "@" + digest.String()
	}
	return [][]string{{"  - " + text(g.Base.A)}, {"  + " + text(g.Base.B)}}
}

// changeRows is a line each: "~ NAME  A → B".
func changeRows(changes []bake.Change) [][]string {
	var rows [][]string
	for _, c := range changes {
		mark, text := "~", ""
		switch {
		case c.A == nil:
			mark, text = "+", *c.B
		case c.B == nil:
			mark, text = "-", *c.A
		default:
			text = *c.A + " → " + *c.B
		}
		if c.Name == "" {
			rows = append(rows, []string{"  " + mark + " " + text})
			continue
		}
		rows = append(rows, []string{"  " + mark + " " + c.Name, text})
	}
	return rows
}

func fileRows(files []bake.FileChange) [][]string {
	var rows [][]string
	for _, f := range files {
		as := strings.Join(f.As, ", ")
		switch {
		case f.A == nil:
			rows = append(rows, []string{"  + " + f.Path, as, size(f.B.Size), short(f.B.SHA256)})
		case f.B == nil:
			rows = append(rows, []string{"  - " + f.Path, as, size(f.A.Size), short(f.A.SHA256)})
		default:
			sizes := size(f.B.Size)
			if was := size(f.A.Size); was != sizes {
				sizes = was + " → " + sizes
			}
			rows = append(rows, []string{"  ~ " + f.Path, as, sizes, short(f.A.SHA256) + " → " + short(f.B.SHA256)})
		}
	}
	return rows
}

func schemaRows(schemas []bake.SchemaChange) [][]string {
	var rows [][]string
	for _, c := range schemas {
		use := string(c.Direction)
		if c.Direction == bake.DirectionBoth {
			use = "input and output"
		}
		if len(c.Slots) > 0 {
			var slots []string
			for _, n := range c.Slots {
				slots = append(slots, strconv.Itoa(n))
			}
			use += ", slot " + strings.Join(slots, ", ")
		}
		verdict := string(c.Verdict)
		for _, part := range []string{c.Path, c.Reason} {
			if part != "" {
				verdict += ": " + part
			}
		}
		rows = append(rows, []string{"  ~ " + c.Name, "(" + use + ")", verdict})
	}
	return rows
}

func (g *diffGroup) layerRows() [][]string {
	l := g.Layers
	if len(l.OnlyA)+len(l.OnlyB) == 0 {
		return nil
	}
	var rows [][]string
	add := func(mark string, class string, bytes int64, digest v1.Hash) {
		rows = append(rows, []string{"  " + mark + " " + class, size(bytes), shortDigest(digest)})
	}
	for _, one := range l.Shared {
		add("=", one.Class, one.Size, one.Digest)
	}
	for _, one := range l.OnlyA {
		add("-", one.Class, one.Size, one.Digest)
	}
	for _, one := range l.OnlyB {
		add("+", one.Class, one.Size, one.Digest)
	}
	if l.NewBytes >= 0 { // the same for all platforms
		rows = append(rows, []string{"  new to a host that has A: " + size(l.NewBytes)})
	}
	return rows
}
