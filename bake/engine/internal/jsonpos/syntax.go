// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package jsonpos

import (
	"fmt"
	"unicode/utf8"
)

// A SizeError says that a document has more keys and values than it may have,
// and where the first of those that are too many stands.
type SizeError struct {
	Line, Column int // 0 is unknown
	Values       int // that the document has; 0 where no one counted
}

func (e *SizeError) Error() string {
	if e.Values == 0 {
		return "too many values"
	}
	return fmt.Sprintf("%d values", e.Values)
}

// A SyntaxError says what keeps a text from being JSON, and where. It quotes
// punctuation only, neither values nor what stands where a key should: that may
// be a secret.
type SyntaxError struct {
	Line, Column int
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("%d:%d: %s", e.Line, e.Column, e.Message)
}

func (p *parser) noKey() *SyntaxError {
	switch c := p.peek(); {
	case c == '\'':
		return p.fail("keys and strings need double quotes")
	case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
		return p.fail("a key needs double quotes")
	}
	return p.fail("expected a key, found %s", p.token())
}

// token describes what stands at the current place without telling a value.
func (p *parser) token() string {
	rest := p.doc.src[p.pos:]
	if len(rest) == 0 {
		return "the end"
	}
	switch c := rest[0]; {
	case c == '"':
		return p.stringToken()
	case c == '/' && len(rest) > 1 && (rest[1] == '/' || rest[1] == '*'), c == '#':
		return "a comment; JSON has none"
	case c == '\'':
		return "a single quote; JSON has double quotes only"
	case c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z':
		return "a bare word; strings need double quotes"
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		return "a number"
	case c < ' ':
		return fmt.Sprintf("the control character U+%04X", c)
	case c < utf8.RuneSelf:
		return fmt.Sprintf("%q", string(c))
	}
	return "a character outside a string"
}

// stringToken tells a key, which a colon follows, from other strings.
func (p *parser) stringToken() string {
	ahead := parser{doc: Doc{src: p.doc.src}, pos: p.pos, counts: true}
	if err := ahead.string(); err == nil {
		ahead.space()
		if ahead.peek() == ':' {
			return "a key"
		}
	}
	return "a string"
}
