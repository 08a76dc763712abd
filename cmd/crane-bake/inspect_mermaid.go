// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode"

	"github.com/crane-bake/crane-bake/bake"
)

// mermaidText is a flowchart: input streams, their slots, the model, its output
// slots, their streams. What no arrow is known for hangs on the model by a
// dotted line: schemas, and slots that the model does not use.
func mermaidText(b *bakeOf) (string, error) {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	line("flowchart LR")
	model := "no model"
	if b.Bindings.Model != "" {
		model = path.Base(b.Bindings.Model)
	}
	line("  model[%s]", mermaidLabel(model))
	drawn := map[string]bool{}
	for _, slot := range b.Slots {
		n := slot.Number
		line("  slot%d((%s))", n, mermaidLabel(fmt.Sprint(n)))
		drawn[slot.Schema] = true
		if slot.Stream != "" {
			line("  stream%d[/%s/]", n, mermaidLabel(path.Base(slot.Stream)))
		}
		link := mermaidArrow(slot)
		switch {
		case n%2 == 0 && slot.Stream != "":
			line("  stream%d --> slot%d %s model", n, n, link)
		case n%2 == 0:
			line("  slot%d %s model", n, link)
		case slot.Stream != "":
			line("  model %s slot%d --> stream%d", link, n, n)
		default:
			line("  model %s slot%d", link, n)
		}
	}
	i := 0
	for _, name := range slices.Sorted(maps.Keys(b.Bindings.Schemas)) {
		if drawn[name] {
			continue
		}
		line("  schema%d[(%s)] -.- model", i, mermaidLabel(name))
		i++
	}
	return s.String(), nil
}

// mermaidLabel is text in quotes, as mermaid shows it. What is more than a word
// to its parser, or to the Markdown and HTML that labels may hold, is an entity
// code; so is a name that others chose.
func mermaidLabel(text string) string {
	var s strings.Builder
	s.WriteByte('"')
	for _, r := range printable(text) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r > unicode.MaxASCII || strings.ContainsRune(" ._-/", r) {
			s.WriteRune(r)
		} else {
			fmt.Fprintf(&s, "#%d;", r)
		}
	}
	s.WriteByte('"')
	return s.String()
}

// mermaidArrow is the arrow between a slot and the model, with the schema's
// name.
func mermaidArrow(slot bake.InspectedSlot) string {
	arrow := "-->"
	if slot.Unused {
		arrow = "-.->"
	}
	if slot.Schema == "" {
		return arrow
	}
	return arrow + "|" + mermaidLabel(slot.Schema) + "|"
}
