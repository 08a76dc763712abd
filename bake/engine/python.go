// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

func checkPython2(m *model) {
	m.scan()
	p := readPython(m.code())
	p.newSyntax(m)
	p.callbacks(m)
}

func checkPython3(m *model) {
	m.scan()
	p := readPython(m.code())
	p.oldSyntax(m)
	p.callbacks(m)
}

// A statement is a logical line of Python, or one of several that semicolons
// separate on it.
type statement struct {
	tokens []lex.Token
	// in has the keywords of the blocks around it, outermost first.
	in []string
}

// python is a model's code as statements.
type python struct {
	statements []statement
}

// readPython groups tokens, which have no comments, into statements.
func readPython(tokens []lex.Token) *python {
	p := &python{}
	type block struct {
		indent  int
		keyword string
	}
	var blocks []block
	for start := 0; start < len(tokens); {
		end := start
		for end < len(tokens) && (tokens[end].Kind != lex.Newline || tokens[end].Depth > 0) {
			end++
		}
		line := tokens[start:end]
		start = end + 1
		line = slices.DeleteFunc(slices.Clone(line), func(t lex.Token) bool { return t.Kind == lex.Newline })
		if len(line) == 0 {
			continue
		}
		for len(blocks) > 0 && line[0].Indent <= blocks[len(blocks)-1].indent {
			blocks = blocks[:len(blocks)-1]
		}
		var in []string
		for _, b := range blocks {
			in = append(in, b.keyword)
		}
		body, keyword := splitBlock(line)
		if keyword != "" {
			p.statements = append(p.statements, statement{line[:len(line)-len(body)], in})
			blocks = append(blocks, block{line[0].Indent, keyword})
			in = append(slices.Clone(in), keyword)
			line = body
		}
		for _, part := range splitSemicolons(line) {
			p.statements = append(p.statements, statement{part, in})
		}
	}
	return p
}

var blockKeywords = []string{"def", "class", "if", "elif", "else", "for", "while", "try", "except", "finally", "with", "match", "case", "async"}

// splitBlock tells whether a line opens a block, and returns what follows its
// colon on the line.
func splitBlock(line []lex.Token) (body []lex.Token, keyword string) {
	if line[0].Kind != lex.Name || !slices.Contains(blockKeywords, line[0].Text) {
		return line, ""
	}
	keyword = line[0].Text
	if keyword == "async" && len(line) > 1 {
		keyword = line[1].Text
	}
	lambdas := 0
	for i, t := range line {
		switch {
		case t.Depth > line[0].Depth:
		case t.Is("lambda"):
			lambdas++
		case t.Is(":") && lambdas > 0:
			lambdas--
		case t.Is(":"):
			return line[i+1:], keyword
		}
	}
	return line, ""
}

func splitSemicolons(line []lex.Token) [][]lex.Token {
	var parts [][]lex.Token
	start := 0
	for i, t := range line {
		if t.Is(";") {
			if i > start {
				parts = append(parts, line[start:i])
			}
			start = i + 1
		}
	}
	if start < len(line) {
		parts = append(parts, line[start:])
	}
	return parts
}

// topLevel tells whether the statement binds names of the module: it is in no
// function or class, but perhaps under an "if" or a "try".
func (s statement) topLevel() bool {
	return !slices.Contains(s.in, "def") && !slices.Contains(s.in, "class")
}

// guarded tells whether the statement may never run, as after a test for the
// Python version or in a try with a fallback.
func (s statement) guarded() bool {
	return slices.ContainsFunc(s.in, func(k string) bool {
		return k == "try" || k == "except" || k == "if" || k == "elif" || k == "else"
	})
}

// defines tells whether the statement binds name in its scope, and whether it
// may bind anything at all.
func (s statement) defines(name string) (yes, anything bool) {
	t := s.tokens
	first := t[0].Text
	if t[0].Is("async") && len(t) > 1 {
		t = t[1:]
		first = t[0].Text
	}
	switch first {
	case "def", "class":
		return len(t) > 1 && t[1].Is(name), false
	case "from", "import":
		for i, tok := range t[1:] {
			if tok.Is("*") {
				return false, true
			}
			// "import a as b" binds b alone, "import a.b" a.
			if tok.Is(name) && (i+2 >= len(t) || !t[i+2].Is("as")) && !t[i].Is(".") && t[i].Text != "from" {
				return true, false
			}
		}
		return false, false
	}
	for i, tok := range t {
		if tok.Is("=") && tok.Depth == t[0].Depth {
			return slices.ContainsFunc(t[:i], func(x lex.Token) bool { return x.Is(name) }), false
		}
	}
	if first == "exec" {
		return false, true
	}
	return false, false
}
