// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package jsonpos reads JSON without losing where in the text a value stands,
// in which order an object's keys come, and which of them are repeated.
//
// A document is one flat list of nodes of 16 bytes each, so that neither deep
// nesting nor a repeated key can hurt the reader. An array of nothing but
// numbers is one node: models have millions of them, and hardly anyone asks.
package jsonpos

import (
	"bytes"
	"cmp"
	"slices"
	"unicode/utf8"
)

// MaxDepth is how deep arrays and objects may be nested.
const MaxDepth = 1000

// Kind is the type of a JSON value.
type Kind uint8

// The kinds; the zero Kind is that of a Value that is not there.
const (
	Absent Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// String names the kind as in "must be a string": with its article.
func (k Kind) String() string {
	return [...]string{"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"}[k]
}

// A Doc is a parsed document.
type Doc struct {
	src   []byte
	nodes []node
	marks []mark // where the text was written for another one

	line, column int    // of the text's beginning in the file, 0-based
	last         cursor // the place that was asked for last
}

// A cursor is a place in a text. Most places are asked for in their order, so
// the next one is found from there.
type cursor struct{ offset, line, column int } // all 0-based

// to moves the cursor and returns its line and column, 1-based.
func (c *cursor) to(src []byte, offset int) (line, column int) {
	if offset < c.offset {
		*c = cursor{}
	}
	passed := src[c.offset:offset]
	if i := bytes.LastIndexByte(passed, '\n'); i >= 0 {
		c.line += bytes.Count(passed, []byte{'\n'})
		c.column, passed = 0, passed[i+1:]
	}
	c.offset = offset
	c.column += utf8.RuneCount(passed)
	return c.line + 1, c.column + 1
}

// Shift says that the document's text begins on that line and column, both
// 1-based, of the file that holds it.
func (d *Doc) Shift(line, column int) { d.line, d.column = line-1, column-1 }

type node struct {
	start, end uint32 // offsets in src; a string's include its quotes
	next       uint32 // index of the node after this one and all inside it
	kind       Kind
	bare       bool // an array of numbers that are no nodes
}

// Root is the document's outermost value.
func (d *Doc) Root() Value { return Value{doc: d} }

// Values is how many keys and values the document has. Numbers in an array of
// nothing else do not count.
func (d *Doc) Values() int { return len(d.nodes) }

// Position is where the value begins: line and column, 1-based, the column in
// characters.
func (v Value) Position() (line, column int) {
	if v.doc == nil {
		return 0, 0
	}
	return v.doc.position(v.node().start)
}

func (d *Doc) position(offset uint32) (line, column int) {
	if d.marks == nil {
		line, column = d.last.to(d.src, int(offset))
		if line == 1 {
			column += d.column
		}
		return line + d.line, column
	}
	i, exact := slices.BinarySearchFunc(d.marks, offset, func(m mark, o uint32) int { return cmp.Compare(m.offset, o) })
	if !exact {
		i = max(i-1, 0)
	}
	return int(d.marks[i].line), int(d.marks[i].column)
}

// Position is the line and column, 1-based, of an offset in src. The column
// counts characters.
func Position(src []byte, offset int) (line, column int) {
	var c cursor
	return c.to(src, min(offset, len(src)))
}
