// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package jsonpos

import (
	"fmt"
	"math"
	"unicode/utf8"
)

// Parse reads a document as RFC 8259 has it, except that arrays and objects
// may be nested MaxDepth deep. Strings are not checked for lone surrogates.
// The error is a *SyntaxError, or a *SizeError if the document has more than
// limit keys and values; numbers in an array of nothing else do not count. The
// document keeps src.
func Parse(src []byte, limit int) (*Doc, error) {
	// The first pass counts, so that the second allocates what is needed, and
	// nothing at all for a document that is too large.
	count := &parser{doc: Doc{src: src}, counts: true, limit: limit}
	if err := count.document(); err != nil {
		err.Line, err.Column = Position(src, count.pos)
		return nil, err
	}
	if count.n > limit {
		line, column := Position(src, count.over)
		return nil, &SizeError{line, column, count.n}
	}
	p := &parser{doc: Doc{src: src, nodes: make([]node, 0, count.n)}}
	p.space()
	if err := p.value(); err != nil {
		return nil, err // never: the first pass had none
	}
	return &p.doc, nil
}

type parser struct {
	doc   Doc
	pos   int
	depth int
	bare  bool // inside an array of numbers, which are no nodes

	counts bool // nodes in n, rather than keep them
	n      int
	limit  int // of n
	over   int // offset of the first node beyond the limit
}

func (p *parser) fail(format string, args ...any) *SyntaxError {
	return &SyntaxError{Message: fmt.Sprintf(format, args...)}
}

func (p *parser) document() *SyntaxError {
	src := p.doc.src
	if uint64(len(src)) > math.MaxUint32 {
		return p.fail("larger than 4 GiB")
	}
	switch {
	case len(src) >= 3 && string(src[:3]) == "\xef\xbb\xbf":
		return p.fail("starts with a byte order mark")
	case len(src) >= 2 && (string(src[:2]) == "\xff\xfe" || string(src[:2]) == "\xfe\xff"):
		return p.fail("is UTF-16, not UTF-8")
	}
	if i := InvalidUTF8(src); i >= 0 {
		p.pos = i
		return p.fail("is not valid UTF-8")
	}
	p.space()
	if p.pos == len(src) {
		return p.fail("is empty")
	}
	if err := p.value(); err != nil {
		return err
	}
	p.space()
	if p.pos < len(src) {
		return p.fail("unexpected %s after the end of the document", p.token())
	}
	return nil
}

// InvalidUTF8 is the offset of the first byte that is no UTF-8, or -1.
func InvalidUTF8(src []byte) int {
	if utf8.Valid(src) {
		return -1
	}
	for i := 0; i < len(src); {
		r, size := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

func (p *parser) space() {
	for p.pos < len(p.doc.src) {
		switch p.doc.src[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

// peek is the next byte, and 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.doc.src) {
		return p.doc.src[p.pos]
	}
	return 0
}

// open begins a node. It returns -1 for one that is not kept.
func (p *parser) open(kind Kind) int {
	switch {
	case p.bare:
		return -1
	case p.counts:
		if p.n++; p.n == p.limit+1 {
			p.over = p.pos
		}
		return -1
	}
	p.doc.nodes = append(p.doc.nodes, node{start: uint32(p.pos), kind: kind})
	return len(p.doc.nodes) - 1
}

func (p *parser) close(i int) {
	if i >= 0 {
		p.doc.nodes[i].end = uint32(p.pos)
		p.doc.nodes[i].next = uint32(len(p.doc.nodes))
	}
}

func (p *parser) value() *SyntaxError {
	switch c := p.peek(); c {
	case '{', '[':
		if p.depth++; p.depth > MaxDepth {
			return p.fail("nested deeper than %d levels", MaxDepth)
		}
		defer func() { p.depth-- }()
		if c == '{' {
			return p.object()
		}
		return p.array()
	case '"':
		return p.string()
	case 't':
		return p.literal("true", Bool)
	case 'f':
		return p.literal("false", Bool)
	case 'n':
		return p.literal("null", Null)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return p.number()
	}
	if p.pos == len(p.doc.src) {
		return p.fail("ends where a value is expected")
	}
	return p.fail("expected a value, found %s", p.token())
}

func (p *parser) array() *SyntaxError {
	i := p.open(Array)
	p.pos++
	if p.bare = p.onlyNumbers(); p.bare {
		defer func() { p.bare = false }()
		if i >= 0 {
			p.doc.nodes[i].bare = true
		}
	}
	for first := true; ; first = false {
		if done, err := p.separator(']', first); done || err != nil {
			p.close(i)
			return err
		}
		if err := p.value(); err != nil {
			return err
		}
	}
}

// onlyNumbers looks ahead whether there is nothing but numbers, or nothing at
// all, up to the end of the array. It stops at a bracket, so that nested arrays
// are not read again and again.
func (p *parser) onlyNumbers() bool {
	for _, c := range p.doc.src[p.pos:] {
		switch c {
		case '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '-', '+', '.', 'e', 'E', ',', ' ', '\t', '\n', '\r':
		default:
			return c == ']'
		}
	}
	return false
}

func (p *parser) object() *SyntaxError {
	i := p.open(Object)
	p.pos++
	for first := true; ; first = false {
		if done, err := p.separator('}', first); done || err != nil {
			p.close(i)
			return err
		}
		if p.peek() != '"' {
			return p.noKey()
		}
		if err := p.string(); err != nil {
			return err
		}
		p.space()
		if p.peek() != ':' {
			if p.pos == len(p.doc.src) {
				return p.fail(`ends where ":" is expected`)
			}
			return p.fail(`expected ":" after a key, found %s`, p.token())
		}
		p.pos++
		p.space()
		if err := p.value(); err != nil {
			return err
		}
	}
}

// separator stands between two elements: it skips the comma, or the closing
// bracket and then says so.
func (p *parser) separator(closing byte, first bool) (done bool, err *SyntaxError) {
	p.space()
	if p.pos == len(p.doc.src) {
		return false, p.fail("ends before %q", string(closing))
	}
	if p.peek() == closing {
		p.pos++
		return true, nil
	}
	if first {
		if p.peek() == ',' {
			return false, p.fail(`unexpected ","`)
		}
		return false, nil
	}
	if p.peek() != ',' {
		return false, p.fail(`expected "," before %s`, p.token())
	}
	comma := p.pos
	p.pos++
	p.space()
	switch c := p.peek(); c {
	case closing:
		p.pos = comma
		return false, p.fail("trailing comma")
	case ',':
		return false, p.fail(`two commas`)
	}
	return false, nil
}
