// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
)

// A mismatch is the first place where a reader's schema does not take what a
// writer's schema says.
type mismatch struct {
	path     []string // fields, "[]" for items, "{}" for values
	severity Severity // Error, or Warning for what other implementations refuse
	reader   string   // what the reader has there
	writer   string   // what the writer has there
}

// place is the path in words.
func (m *mismatch) place() string {
	if len(m.path) == 0 {
		return ""
	}
	return fmt.Sprintf("field %q: ", strings.ReplaceAll(strings.ReplaceAll(strings.Join(m.path, "."), ".[]", "[]"), ".{}", "{}"))
}

// accepts applies Avro's schema resolution, with the engine's own rules: names
// need not agree, and bytes and string stand for each other, but both draw a
// warning. It returns nil if reader takes all that writer says without one.
func accepts(reader, writer *schema) *mismatch {
	r := resolution{known: make(map[[2]*schema]*mismatch)}
	return r.resolve(reader, writer)
}

// resolution remembers pairs of types, since they may be recursive.
type resolution struct {
	known map[[2]*schema]*mismatch
}

func (r *resolution) resolve(reader, writer *schema) *mismatch {
	if reader == nil || writer == nil || reader == writer {
		return nil
	}
	key := [2]*schema{reader, writer}
	if m, ok := r.known[key]; ok {
		return m
	}
	r.known[key] = nil // a pair inside itself agrees if the rest does
	m := r.compare(reader, writer)
	r.known[key] = m
	return m
}

func (r *resolution) compare(reader, writer *schema) *mismatch {
	differ := &mismatch{severity: Error, reader: reader.String(), writer: writer.String()}
	switch {
	case writer.kind == "union":
		return r.fromUnion(reader, writer)
	case reader.kind == "union":
		return r.intoUnion(reader, writer, differ)
	case reader.kind != writer.kind:
		if promotes(writer.kind, reader.kind) {
			return nil
		}
		if reader.kind == "bytes" && writer.kind == "string" || reader.kind == "string" && writer.kind == "bytes" {
			differ.severity = Warning
		}
		return differ
	}
	switch reader.kind {
	case "array":
		return within("[]", r.resolve(reader.element, writer.element))
	case "map":
		return within("{}", r.resolve(reader.element, writer.element))
	case "fixed":
		if reader.size != writer.size {
			return &mismatch{
				severity: Error, reader: fmt.Sprintf("%s of %d bytes", reader, reader.size), writer: fmt.Sprintf("%s of %d bytes", writer, writer.size),
			}
		}
	case "enum":
		for _, symbol := range writer.symbols {
			if !slices.Contains(reader.symbols, symbol) {
				return &mismatch{severity: Error, reader: fmt.Sprintf("%s without symbol %q", reader, symbol), writer: writer.String()}
			}
		}
	case "record":
		if m := r.fields(reader, writer); m != nil {
			return m
		}
	}
	if reader.name != writer.name && reader.kind != "fixed" {
		differ.severity = Warning
		return differ
	}
	return nil
}

// fields compares two records by the reader's fields. An error counts before
// a warning.
func (r *resolution) fields(reader, writer *schema) *mismatch {
	var first *mismatch
	index := make(map[string]*schema, len(writer.fields))
	for _, f := range writer.fields {
		index[f.name] = f.typ
	}
	for _, f := range reader.fields {
		typ, ok := index[f.name]
		var m *mismatch
		switch {
		case !ok && f.hasDefault:
			continue
		case !ok:
			m = &mismatch{severity: Error, reader: f.typ.String(), writer: "no such field"}
		default:
			m = r.resolve(f.typ, typ)
		}
		if m = within(f.name, m); m != nil && (first == nil || m.severity > first.severity) {
			first = m
		}
		if first != nil && first.severity == Error {
			return first
		}
	}
	return first
}

// fromUnion needs a reader for every branch.
func (r *resolution) fromUnion(reader, writer *schema) *mismatch {
	var first *mismatch
	for _, branch := range writer.branches {
		m := r.resolve(reader, branch)
		if m == nil || first != nil && first.severity >= m.severity {
			continue
		}
		first = m
	}
	return first
}

// intoUnion needs one branch of the reader, the better one of two.
func (r *resolution) intoUnion(reader, writer *schema, none *mismatch) *mismatch {
	best := none
	var only *mismatch
	candidates := 0
	for _, branch := range reader.branches {
		m := r.resolve(branch, writer)
		if m == nil {
			return nil
		}
		if m.severity < best.severity {
			best = m
		}
		if branch.kind == writer.kind {
			candidates++
			only = m
		}
	}
	if best == none && candidates == 1 && len(only.path) > 0 {
		return only // the branch that was meant tells more
	}
	return best
}

// within moves a mismatch one step down.
func within(step string, m *mismatch) *mismatch {
	if m == nil {
		return nil
	}
	moved := *m
	moved.path = append([]string{step}, m.path...)
	return &moved
}

// promotes tells whether a writer's number becomes the reader's.
func promotes(writer, reader string) bool {
	order := []string{"int", "long", "float", "double"}
	w, r := slices.Index(order, writer), slices.Index(order, reader)
	return w >= 0 && w < r
}
