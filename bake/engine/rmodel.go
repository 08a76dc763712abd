// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

func checkR(m *model) {
	m.scan()
	code := m.codeWithoutLines()
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
			m.callbackR(code, in, u)
		}
		checked[u.action] = true
	}
}

// callbackR is M-05 and M-06 for R.
func (m *model) callbackR(code []lex.Token, in slot, u use) {
	for i, t := range code {
		// Code that is sourced or built at run time may define anything.
		if (t.Is("source") || t.Is("eval") || t.Is("attach") || t.Is("load")) && i+1 < len(code) && code[i+1].Is("(") {
			return
		}
	}
	at := -1
	for i := range code {
		if bindsR(code, i, u.action) {
			at = i
		}
	}
	if at < 0 {
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

// bindsR tells whether the token at i is name, and is given a value there.
func bindsR(code []lex.Token, i int, name string) bool {
	t := code[i]
	if t.Kind == lex.String && t.Value == name && i >= 2 && code[i-2].Is("assign") {
		return true
	}
	if t.Depth > 0 || !t.Is(name) && !t.Is("`"+name+"`") && (t.Kind != lex.String || t.Value != name) {
		return false
	}
	assigns := i+1 < len(code) && (code[i+1].Is("<-") || code[i+1].Is("<<-") || code[i+1].Is("="))
	return assigns || i > 0 && (code[i-1].Is("->") || code[i-1].Is("->>"))
}

func (m *model) markedR(code []lex.Token) bool {
	for _, line := range m.markers {
		if slices.ContainsFunc(code, func(t lex.Token) bool { return t.Line > line && t.Is("function") }) {
			return true
		}
	}
	return false
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
