// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// checkOctave is M-15.
func checkOctave(m *model) {
	complete := m.scan()
	m.explicitUnsupported()
	if !complete {
		return
	}
	code := m.code
	defined, said := false, false
	inFunction := false
	for i, t := range code {
		switch {
		case t.Is("function") && (t.First || i == 0 || code[i-1].Is(";")):
			inFunction = true
			if name := octaveFunction(code[i+1:]); name == m.stem {
				defined = true
			}
		case t.Is("endfunction"):
			inFunction = false
		case !inFunction && !said && t.Kind != lex.Newline && !t.Is(";"):
			said = true
			m.atToken(t, m15.says("a statement stands outside of functions").as(Warning).
				hint("move set-up into a function; one-time set-up belongs to a begin.m inside an attachment"))
		}
	}
	if !defined {
		m.add(m15.says("the file must define the function %s", quote(m.stem)).hint("write function y = %s(x), or rename the file", m.stem))
	}
}

// octaveFunction is the name of the function whose head follows: NAME(…),
// y = NAME(…) or [a, b] = NAME(…).
func octaveFunction(head []lex.Token) string {
	name := ""
	for _, t := range head {
		switch {
		case t.Kind == lex.Newline && t.Depth == 0 || t.Is("(") || t.Is(";") || t.Is("function"):
			return name
		case t.Is("="):
			name = ""
		case t.Kind == lex.Name && t.Depth == 0:
			name = t.Text
		}
	}
	return name
}
