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

// maxPairs is how many pairs of types are compared. It is enough for the largest
// record, but not for two unions of ten thousand records each.
const maxPairs = 250_000

// accepts applies Avro's schema resolution, with the engine's own rules: names
// need not agree, and bytes and string stand for each other, but both draw a
// warning. It returns nil if reader takes all that writer says without one, or
// if there is too much to compare.
func accepts(reader, writer *schema) *mismatch {
	r := resolution{known: make(map[[2]*schema]*mismatch)}
	if m := r.resolve(reader, writer); r.pairs <= maxPairs {
		return m
	}
	return nil
}

// resolution remembers pairs of records, which may be recursive.
type resolution struct {
	known map[[2]*schema]*mismatch
	pairs int
}

func (r *resolution) resolve(reader, writer *schema) *mismatch {
	r.pairs++
	if reader == nil || writer == nil || reader == writer || r.pairs > maxPairs {
		return nil
	}
	if reader.kind != "record" || writer.kind != "record" {
		return r.compare(reader, writer)
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

// differ is a mismatch of two types as a whole.
func differ(severity Severity, reader, writer *schema) *mismatch {
	return &mismatch{severity: severity, reader: reader.String(), writer: writer.String()}
}

func (r *resolution) compare(reader, writer *schema) *mismatch {
	switch {
	case writer.kind == "union":
		return r.fromUnion(reader, writer)
	case reader.kind == "union":
		return r.intoUnion(reader, writer)
	case reader.kind != writer.kind:
		switch {
		case promotes(writer.kind, reader.kind):
			return nil
		case reader.kind == "bytes" && writer.kind == "string", reader.kind == "string" && writer.kind == "bytes":
			return differ(Warning, reader, writer)
		}
		return differ(Error, reader, writer)
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
			if !reader.symbol[symbol] {
				return &mismatch{severity: Error, reader: fmt.Sprintf("%s without symbol %q", reader, symbol), writer: writer.String()}
			}
		}
	case "record":
		if m := r.fields(reader, writer); m != nil {
			return m
		}
	}
	if reader.name != writer.name && reader.kind != "fixed" {
		return differ(Warning, reader, writer)
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
func (r *resolution) intoUnion(reader, writer *schema) *mismatch {
	none := differ(Error, reader, writer)
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
