// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// newSyntax is M-02: what Python 2 cannot run. One finding is enough to rename
// the file.
func (p *python) newSyntax(m *model) {
	printIsFunction := false
	for _, s := range p.statements {
		t := s.tokens
		if t[0].Is("from") && len(t) > 1 && t[1].Is("__future__") &&
			slices.ContainsFunc(t, func(x lex.Token) bool { return x.Is("print_function") }) {
			printIsFunction = true
		}
		what, at := newerThan2(s, printIsFunction)
		if what != "" {
			m.atToken(at, m02.says(`the extension ".py" selects Python 2, but the model uses %s`, what).
				hint("rename the model to %s.py3", m.stem))
			return
		}
	}
}

// newerThan2 names the first thing of a statement that Python 2 does not have.
func newerThan2(s statement, printIsFunction bool) (string, lex.Token) {
	t := s.tokens
	if t[0].Is("nonlocal") && len(t) > 1 && t[1].Kind == lex.Name {
		return "nonlocal", t[0]
	}
	if t[0].Is("async") && len(t) > 1 && t[1].Is("def") {
		return "async def", t[0]
	}
	if t[0].Is("def") {
		if at, ok := typeHint(t); ok {
			return "type hints", at
		}
	}
	var open []int // brackets
	for i, x := range t {
		next := lex.Token{}
		if i+1 < len(t) {
			next = t[i+1]
		}
		switch {
		case x.Is("("), x.Is("["), x.Is("{"):
			open = append(open, i)
		case x.Is(")"), x.Is("]"), x.Is("}"):
			open = open[:max(len(open)-1, 0)]
		case x.Kind == lex.String && strings.Contains(x.Prefix(), "f"):
			return "f-strings", x
		case x.Is("yield") && next.Is("from"):
			return "yield from", x
		case (x.Is("flush") || x.Is("file")) && next.Is("=") && len(open) > 0 && !printIsFunction:
			if at := open[len(open)-1] - 1; at >= 0 && t[at].Is("print") && t[at+1].Is("(") && !afterDot(t, at) {
				return "print(…, " + x.Text + "=…)", t[at]
			}
		}
	}
	return "", lex.Token{}
}

// typeHint finds an annotation of a parameter or of the result.
func typeHint(def []lex.Token) (lex.Token, bool) {
	if len(def) < 3 || !def[2].Is("(") {
		return lex.Token{}, false
	}
	inner := def[2].Depth + 1
	lambdas := 0
	for _, t := range def[3:] {
		switch {
		case t.Is("->") && t.Depth < inner:
			return t, true
		case t.Depth != inner:
		case t.Is("lambda"):
			lambdas++
		case t.Is(":") && lambdas > 0:
			lambdas--
		case t.Is(":"):
			return t, true
		}
	}
	return lex.Token{}, false
}

func afterDot(t []lex.Token, i int) bool { return i > 0 && t[i-1].Is(".") }

// goneModules are modules of Python 2 that Python 3 does not have.
var goneModules = []string{"cPickle", "cStringIO", "StringIO", "urllib2", "urlparse", "ConfigParser", "Queue", "HTMLParser", "httplib"}

// oldSyntax is M-03: what Python 3 cannot run. What may never run, after a
// test or in a try, is passed over.
func (p *python) oldSyntax(m *model) {
	said := make(map[string]bool)
	say := func(at lex.Token, what, hint string) {
		if !said[what] {
			said[what] = true
			m.atToken(at, m03.says(`the extension ".py3" selects Python 3, but the model uses %s`, what).hint("%s", hint))
		}
	}
	definesUnicode := slices.ContainsFunc(p.statements, func(s statement) bool {
		names, _ := s.binds()
		return slices.Contains(names, "unicode")
	})
	for _, s := range p.statements {
		t := s.tokens
		if what, ok := printStatement(t); ok {
			say(t[0], what, "write print(…)")
		}
		if at, ok := oldExcept(t); ok {
			say(at, "except X, e", "write except X as e")
		}
		for i, x := range t {
			switch {
			case x.Kind == lex.Op && x.Text == "`":
				say(x, "backquotes", "write repr(…)")
			case x.Is("unicode") && i+1 < len(t) && t[i+1].Is("(") && !afterDot(t, i) && !t[0].Is("def") && !definesUnicode && !s.guarded():
				say(x, "unicode(…), which Python 3 does not have", "write str(…)")
			}
		}
		if (t[0].Is("import") || t[0].Is("from")) && !s.guarded() {
			if at, ok := goneImport(t); ok {
				say(at, at.Text+", which Python 3 does not have", "import its successor, such as pickle, io or urllib.request")
			}
		}
	}
}

// printStatement tells whether the statement is Python 2's print.
func printStatement(t []lex.Token) (string, bool) {
	if !t[0].Is("print") || len(t) < 2 {
		return "", false
	}
	next := t[1]
	switch {
	case next.Kind == lex.String, next.Kind == lex.Number, next.Is(">>"), next.Is("`"):
		return "the print statement", true
	case next.Kind == lex.Name && !slices.Contains([]string{"if", "is", "in", "and", "or", "not", "for", "as"}, next.Text):
		return "the print statement", true
	}
	return "", false
}

// oldExcept finds "except Name, name".
func oldExcept(t []lex.Token) (lex.Token, bool) {
	if !t[0].Is("except") {
		return lex.Token{}, false
	}
	for i, x := range t {
		if x.Is(",") && x.Depth == t[0].Depth && i+2 < len(t) && t[i+1].Kind == lex.Name && t[i+2].Is(":") {
			return x, true
		}
	}
	return lex.Token{}, false
}

// goneImport finds a top-level module that Python 3 lacks.
func goneImport(t []lex.Token) (lex.Token, bool) {
	module := true // the next name is a module
	for _, x := range t[1:] {
		switch {
		case x.Kind == lex.Name && module && slices.Contains(goneModules, x.Text):
			return x, true
		case x.Is(",") && t[0].Is("import"):
			module = true
			continue
		}
		module = false
	}
	return lex.Token{}, false
}
