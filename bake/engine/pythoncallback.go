// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// callbacks is M-05, M-06 and M-07.
func (p *python) callbacks(m *model) {
	inputs := m.slots.inputs()
	defined, anything := p.topLevel()
	checked := make(map[string]bool)
	explicit := len(inputs) > 0
	for _, in := range inputs {
		u := m.slots.inUse[in]
		if u.explicit() {
			continue
		}
		explicit = false
		if !checked[u.action] && !anything {
			checked[u.action] = true
			p.callback(m, in, u, defined[u.action])
		}
	}
	if explicit && !p.calls("Slot") {
		u := m.slots.inUse[inputs[0]]
		m.atLine(u.actionAt, 0, m07.says("action is %q but no Slot(n) is used: the model can never read data", u.action).
			hint("read Slot(%s), or define a callback", inputs[0]))
	}
}

// topLevel are the names that the module binds, with the statements that do it
// last. Anything is set where it may bind any name.
func (p *python) topLevel() (defined map[string][]lex.Token, anything bool) {
	defined = make(map[string][]lex.Token)
	for _, s := range p.statements {
		if !s.topLevel() {
			continue
		}
		names, any := s.binds()
		anything = anything || any
		for _, name := range names {
			defined[name] = s.tokens
		}
	}
	return defined, anything
}

func (p *python) callback(m *model, in slot, u use, def []lex.Token) {
	if def == nil {
		if p.marked(m) {
			return
		}
		m.atLine(u.actionAt, 0, m05.says("slot %s calls %s but no such function is defined", in, quote(u.action)).
			hint("define it at the top level, or name the function with # fastscore.action.%s: NAME", in))
		return
	}
	if n, ok := parameters(def); ok && (n == 0 || n > 3) {
		m.atToken(def[0], m06.says("%s() takes %d parameters; 1 to 3 expected", u.action, n).
			hint("the parameters are the data, the slot, and the sequence number"))
	}
}

// marked tells whether a function follows a score marker.
func (p *python) marked(m *model) bool {
	return m.marker > 0 && slices.ContainsFunc(p.statements, func(s statement) bool {
		return s.tokens[0].Line > m.marker && (s.tokens[0].Is("def") || s.tokens[0].Is("async"))
	})
}

// calls tells whether the name is called anywhere, or imported from a module
// that may call it.
func (p *python) calls(name string) bool {
	for _, s := range p.statements {
		for i, t := range s.tokens {
			if t.Is(name) && i+1 < len(s.tokens) && s.tokens[i+1].Is("(") {
				return true
			}
		}
	}
	return false
}

// parameters counts the positional parameters of a def on one line. It is not
// sure about more lines and about *args.
func parameters(def []lex.Token) (n int, sure bool) {
	if def[0].Is("async") {
		def = def[1:]
	}
	if len(def) < 4 || !def[0].Is("def") || def[len(def)-1].Line != def[0].Line || !def[2].Is("(") {
		return 0, false
	}
	depth := def[2].Depth + 1
	begins := true // of a parameter
	for i, t := range def[3:] {
		switch {
		case t.Is(")") && t.Depth == depth-1:
			return n, true
		case t.Depth > depth:
			continue
		case t.Is(",") && t.Depth == depth:
			begins = true
			continue
		case begins && t.Is("*"):
			// *args takes any number; a lone * ends the positional ones.
			if next := def[3+i+1]; next.Is(",") {
				return n, true
			}
			return n, false
		case begins && t.Is("**"):
			return n, true
		case begins && (t.Kind == lex.Name || t.Is("(")):
			n++
		}
		begins = false
	}
	return n, false
}
