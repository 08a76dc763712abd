// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

func checkR(m *model) {
	if !m.scan() {
		return
	}
	code := m.code
	bound := boundR(code)
	checked := make(map[string]bool)
	for _, in := range m.slots.inputs() {
		u := m.slots.inUse[in]
		switch {
		case u.explicit():
			if !checked[u.action] {
				m.atLine(u.actionAt, 0, m07.says("action is %q, but R models cannot read slots themselves", u.action).
					hint("define a callback; explicit input needs Python"))
			}
		case !checked[u.action]:
			m.callbackR(code, bound, in, u)
		}
		checked[u.action] = true
	}
}

// callbackR is M-05 and M-06 for R. Bound is nil if any name may be.
func (m *model) callbackR(code []lex.Token, bound map[string]int, in slot, u use) {
	if bound == nil {
		return
	}
	at, ok := bound[u.action]
	if !ok {
		if m.markedR(code) {
			return
		}
		m.atLine(u.actionAt, 0, m05.says("slot %s calls %s but no such function is defined", in, quote(u.action)).
			hint("define it at the top level, or name the function with # fastscore.action.%s: NAME", in))
		return
	}
	if n, ok := parametersR(code[at:]); ok && (n == 0 || n > 3) {
		m.atToken(code[at], m06.says("%s() takes %d parameters; 1 to 3 expected", u.action, n).
			hint("the parameters are the data, the slot, and the sequence number"))
	}
}

// boundR are the names that are given a value, and the last tokens that do it.
// It is nil where code is sourced, or built at run time, and may bind anything.
func boundR(code []lex.Token) map[string]int {
	bound := make(map[string]int)
	is := func(i int, texts ...string) bool {
		return i >= 0 && i < len(code) && slices.ContainsFunc(texts, code[i].Is)
	}
	for i, t := range code {
		if is(i, "source", "eval", "attach", "load") && is(i+1, "(") {
			return nil
		}
		name := strings.Trim(t.Text, "`")
		if t.Kind == lex.String {
			name = t.Value()
		} else if t.Kind != lex.Name {
			continue
		}
		if t.Kind == lex.String && is(i-2, "assign") || t.Depth == 0 && (is(i+1, "<-", "<<-", "=") || is(i-1, "->", "->>")) {
			bound[name] = i
		}
	}
	return bound
}

func (m *model) markedR(code []lex.Token) bool {
	return m.marker > 0 && slices.ContainsFunc(code, func(t lex.Token) bool { return t.Line > m.marker && t.Is("function") })
}

// parametersR counts those of "name <- function(a, b = 1)" on one line.
func parametersR(code []lex.Token) (n int, sure bool) {
	if len(code) < 4 || !code[2].Is("function") && !code[2].Is(`\`) || !code[3].Is("(") {
		return 0, false
	}
	depth := code[3].Depth + 1
	begins := true
	for _, t := range code[4:] {
		switch {
		case t.Line != code[0].Line || begins && t.Is("..."):
			return n, false
		case t.Is(")") && t.Depth == depth-1:
			return n, true
		case t.Is(",") && t.Depth == depth:
			begins = true
			continue
		case begins && t.Kind == lex.Name:
			n++
		}
		begins = false
	}
	return n, false
}
