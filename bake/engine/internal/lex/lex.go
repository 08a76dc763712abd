// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package lex takes the source of models apart, far enough to tell code from
// comments and strings. It knows no grammar and never fails: what does not
// belong anywhere is an operator of one character.
package lex

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds of tokens.
const (
	Name Kind = iota
	Number
	String
	Comment
	Op        // an operator or a bracket
	Newline   // the end of a line that is neither continued nor inside a string
	Directive // a line of the C preprocessor
)

// Language is a language that models are written in.
type Language uint8

// The languages. PrettyPFA stands for itself: C's comments and strings, no
// preprocessor.
const (
	Python Language = iota
	R
	C
	Java
	Octave
	PrettyPFA
)

// A Token is a piece of source that is not white space. It is small, and points
// into the source: models of some megabytes have a million of them.
type Token struct {
	Text   string // as it stands in the source
	Offset int32  // in bytes
	Line   int32  // 1-based, of its first character
	Indent int32  // width of the white space before it, if First; tabs reach to multiples of 8
	Depth  int32  // of brackets around it; an opening and its closing bracket have the same

	lead   int32 // bytes of Text before the value
	trail  uint8 // bytes of Text after it
	prefix uint8 // bytes of Text before a string's quotes

	Kind  Kind
	First bool // nothing but white space stands before it on its line
}

// Value is what is between the quotes of a string, escapes kept, or what
// follows the mark of a comment. Of other tokens it is Text.
func (t Token) Value() string { return t.Text[t.lead : len(t.Text)-int(t.trail)] }

// Prefix is the letters before a string, in lower case.
func (t Token) Prefix() string { return strings.ToLower(t.Text[:t.prefix]) }

// Is tells whether the token is a name or an operator with that text.
func (t Token) Is(text string) bool {
	return (t.Kind == Name || t.Kind == Op) && t.Text == text
}

// Column is the place of a token on its line, 1-based, in characters.
func Column(src string, offset int32) int {
	start := strings.LastIndexByte(src[:offset], '\n') + 1
	return utf8.RuneCountInString(src[start:offset]) + 1
}

// Scan returns the tokens of src, which must be smaller than 2 GiB, in their
// order.
func Scan(lang Language, src string) iter.Seq[Token] {
	return func(yield func(Token) bool) {
		s := &scanner{lang: lang, src: src, line: 1, lineStart: true}
		for s.pos < len(src) {
			s.emitted = false
			if s.next(); s.emitted && !yield(s.token) {
				return
			}
		}
	}
}

type scanner struct {
	lang      Language
	src       string
	pos, line int
	depth     int
	lineStart bool // nothing but white space since the line began
	indent    int
	unclosed  map[string]bool // ends of raw strings that do not come any more

	token   Token
	emitted bool
}

// rest is the source from the current place on.
func (s *scanner) rest() string { return s.src[s.pos:] }

// at tells whether text stands at the current place.
func (s *scanner) at(text string) bool { return strings.HasPrefix(s.rest(), text) }

func (s *scanner) next() {
	switch c := s.src[s.pos]; {
	case c == '\n':
		s.emit(Newline, 1)
		s.lineStart, s.indent = true, 0
	case c == '\t':
		s.indent = s.indent/8*8 + 8
		s.pos++
	case c == ' ':
		s.indent++
		s.pos++
	case c == '\r' || c == '\f' || c == '\v':
		s.pos++
	case s.continuation(), s.comment(), s.str():
	case isNameStart(c) || c == '.' && s.lang == R && !isDigitAt(s.src, s.pos+1):
		s.emit(Name, s.nameLen())
	case isDigit(c) || c == '.' && isDigitAt(s.src, s.pos+1):
		s.emit(Number, s.numberLen())
	default:
		s.op()
	}
}

// emit makes a token of n bytes and goes past it.
func (s *scanner) emit(kind Kind, n int) *Token {
	text := s.src[s.pos : s.pos+n]
	s.token, s.emitted = Token{
		Kind: kind, Text: text, Offset: int32(s.pos), Line: int32(s.line), First: s.lineStart && kind != Newline,
		Indent: int32(s.indent), Depth: int32(s.depth),
	}, true
	s.pos += n
	s.line += strings.Count(text, "\n")
	s.lineStart = false
	return &s.token
}

// continuation skips a line break that a backslash hides.
func (s *scanner) continuation() bool {
	if s.lang != Python && s.lang != C {
		return false
	}
	for _, text := range []string{"\\\n", "\\\r\n"} {
		if s.at(text) {
			s.pos += len(text)
			s.line++
			return true
		}
	}
	return false
}

// operators of more than one character that consumers look for, or whose
// parts would mislead them.
var operators = []string{"...", "<<-", "->>", "->", "<-", ">>", "<<", "**", "==", "<=", ">=", "!=", ":=", "::", "+=", "-=", "*=", "/="}

func (s *scanner) op() {
	c := s.src[s.pos]
	switch c {
	case '(', '[', '{':
		s.emit(Op, 1)
		s.depth++
		return
	case ')', ']', '}':
		s.depth = max(s.depth-1, 0)
		s.emit(Op, 1)
		return
	case '%':
		// R: %in%, %>%
		if s.lang == R {
			if end := strings.IndexAny(s.src[s.pos+1:], "%\n"); end >= 0 && s.src[s.pos+1+end] == '%' {
				s.emit(Op, end+2)
				return
			}
		}
	}
	if s.pos+1 < len(s.src) && strings.IndexByte(".<>-*=:", s.src[s.pos+1]) >= 0 {
		for _, op := range operators {
			if s.at(op) {
				s.emit(Op, len(op))
				return
			}
		}
	}
	_, size := utf8.DecodeRuneInString(s.rest())
	s.emit(Op, size)
}

func (s *scanner) nameLen() int {
	n := 0
	for n < len(s.rest()) {
		c := s.src[s.pos+n]
		if !isNameStart(c) && !isDigit(c) && (c != '.' || s.lang != R) {
			break
		}
		n++
	}
	return n
}

func (s *scanner) numberLen() int {
	n := 0
	for n < len(s.rest()) {
		c := s.src[s.pos+n]
		exponent := (c == '+' || c == '-') && n > 0 && s.src[s.pos+n-1]|0x20 == 'e'
		if !isNameStart(c) && !isDigit(c) && c != '.' && !exponent {
			break
		}
		n++
	}
	return n
}

func isNameStart(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' || c >= utf8.RuneSelf
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isDigitAt(src string, i int) bool { return i < len(src) && isDigit(src[i]) }
