// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// maxTokens is how many tokens of a model are looked at: what a programmer
// could write in a lifetime, and the code that a generator writes in a second.
const maxTokens = 1_000_000

// scan takes the source apart and reads its annotations. It tells whether the
// code can be checked as well: without all of it, nothing could be called
// missing.
func (m *model) scan() bool {
	r := newAnnotationReader(m)
	complete := m.readCode(r.comment)
	m.slots = r.slots()
	return complete
}

// readCode reads the tokens of the source. Those that are comments go to
// comment.
func (m *model) readCode(comment func(lex.Token)) bool {
	m.code = make([]lex.Token, 0, min(len(m.source)/6+1, maxTokens))
	complete := true
	for t := range lex.Scan(m.lang, m.source) {
		switch {
		case t.Kind == lex.Comment:
			comment(t)
		case !complete || m.skips(t):
		case t.Kind == lex.Newline && (m.lang != lex.Python && m.lang != lex.Octave || m.endsLine()):
		case len(m.code) == maxTokens:
			complete = false
		default:
			m.code = append(m.code, t)
		}
	}
	if !complete {
		m.code = nil
		m.add(x00.says("more than %d words: the model's code was not checked, only its annotations", maxTokens))
	}
	return complete
}

// endsLine tells whether the code so far ends in the end of a line, so that
// another one would be empty.
func (m *model) endsLine() bool {
	return len(m.code) == 0 || m.code[len(m.code)-1].Kind == lex.Newline
}

// skips tells whether t, inside of brackets, is the end of a line, which means
// nothing there, or one more number in a list of numbers. Models have millions
// of those and no rule asks for the second one; the comma and the sign before
// it go as well.
func (m *model) skips(t lex.Token) bool {
	switch {
	case t.Depth == 0:
		return false
	case t.Kind != lex.Number:
		return t.Kind == lex.Newline
	}
	n := len(m.code)
	if n > 0 && (m.code[n-1].Is("-") || m.code[n-1].Is("+")) {
		n--
	}
	if n < 2 || !m.code[n-1].Is(",") || m.code[n-2].Kind != lex.Number || m.code[n-2].Depth != t.Depth || m.code[n-1].Depth != t.Depth {
		return false
	}
	m.code = m.code[:n-1]
	return true
}

// codeWithoutLines is the code without the ends of lines.
func (m *model) codeWithoutLines() []lex.Token {
	isLine := func(t lex.Token) bool { return t.Kind == lex.Newline }
	if !slices.ContainsFunc(m.code, isLine) {
		return m.code
	}
	code := make([]lex.Token, 0, len(m.code))
	for _, t := range m.code {
		if !isLine(t) {
			code = append(code, t)
		}
	}
	return code
}
