// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

func checkPython2(m *model) {
	if !m.scan() {
		return
	}
	p := readPython(m.code)
	p.newSyntax(m)
	p.callbacks(m)
}

func checkPython3(m *model) {
	if !m.scan() {
		return
	}
	p := readPython(m.code)
	p.oldSyntax(m)
	p.callbacks(m)
}

// A statement is a logical line of Python, or one of several that semicolons
// separate on it.
type statement struct {
	tokens []lex.Token
	in     *block // nil at the top level
}

// A block is what a line that ends in a colon opens.
type block struct {
	keyword string
	indent  int32
	outer   *block
}

// has tells whether the block, or one around it, has one of the keywords.
func (b *block) has(keywords ...string) bool {
	for ; b != nil; b = b.outer {
		if slices.Contains(keywords, b.keyword) {
			return true
		}
	}
	return false
}

// python is a model's code as statements.
type python struct {
	statements []statement
}

// readPython groups tokens, without comments and without line ends inside of
// brackets, into statements.
func readPython(tokens []lex.Token) *python {
	p := &python{}
	var in *block
	for start := 0; start < len(tokens); {
		end := start
		for end < len(tokens) && tokens[end].Kind != lex.Newline {
			end++
		}
		line := tokens[start:end]
		start = end + 1
		if len(line) == 0 {
			continue
		}
		for in != nil && line[0].Indent <= in.indent {
			in = in.outer
		}
		body, keyword := splitBlock(line)
		if keyword != "" {
			p.statements = append(p.statements, statement{line[:len(line)-len(body)], in})
			in = &block{keyword, line[0].Indent, in}
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
func (s statement) topLevel() bool { return !s.in.has("def", "class") }

// guarded tells whether the statement may never run, as after a test for the
// Python version or in a try with a fallback.
func (s statement) guarded() bool {
	return s.in.has("try", "except", "if", "elif", "else")
}

// binds are the names that the statement gives a value in its scope. Anything
// is set where it may bind any name.
func (s statement) binds() (names []string, anything bool) {
	t := s.tokens
	if t[0].Is("async") && len(t) > 1 {
		t = t[1:]
	}
	switch t[0].Text {
	case "def", "class":
		if len(t) > 1 {
			names = append(names, t[1].Text)
		}
		return names, false
	case "from", "import":
		return imported(t)
	case "exec":
		anything = true
	}
	end := slices.IndexFunc(t, func(x lex.Token) bool { return x.Is("=") && x.Depth == t[0].Depth })
	if end < 0 {
		return nil, anything
	}
	for _, x := range t[:end] {
		if x.Kind == lex.Name {
			names = append(names, x.Text)
		}
	}
	return names, false
}

// imported are the names that an import binds: of "import a as b" b alone, of
// "import a.b" a.
func imported(t []lex.Token) (names []string, anything bool) {
	for i, x := range t[1:] {
		switch {
		case x.Is("*"):
			return nil, true
		case x.Kind == lex.Name && (i+2 >= len(t) || !t[i+2].Is("as")) && !t[i].Is(".") && t[i].Text != "from":
			names = append(names, x.Text)
		}
	}
	return names, false
}
