// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// A model is a model file and what the checks found in it.
type model struct {
	*page
	stem   string // file name without extension
	runner *runner
	lang   lex.Language

	source  string      // what is scanned: the file, or the code cells of a notebook
	tokens  []lex.Token // of source; nil for PFA
	places  []place     // of source's lines in the file; nil if they are the same
	slots   slots
	markers []int // lines of function markers such as "# modelop.score"
	modules []string

	// PFA types of slots 0 and 1 stand in the document.
	input, output *schema
}

// place is where a line of a notebook's code stands in its file.
type place struct{ line, column int }

// checkModelFile is the M and N rules. It returns nil if not even the runner
// is known.
func checkModelFile(p *page, file string, content []byte) *model {
	r := checkExtension(p, file)
	if r == nil {
		return nil
	}
	base := path.Base(file)
	m := &model{page: p, stem: strings.TrimSuffix(base, path.Ext(base)), runner: r, lang: r.lang}
	m.slots = defaultSlots()
	if checkText(p, content) {
		m.source = string(content)
		r.check(m)
	}
	return m
}

// checkText is M-04.
func checkText(p *page, content []byte) bool {
	if len(bytes.TrimSpace(content)) == 0 {
		p.add(m04.says("the model is empty").hint("bake a model that has code"))
		return false
	}
	if i := bytes.IndexByte(content, 0); i >= 0 {
		line, column := jsonpos.Position(content, i)
		p.onLine(line, column, m04.says("the model contains a NUL byte: it is no text").hint("bake the source, not a compiled or pickled model"))
		return false
	}
	if i := jsonpos.InvalidUTF8(content); i >= 0 {
		line, column := jsonpos.Position(content, i)
		p.onLine(line, column, m04.says("the model is not valid UTF-8").hint("save the file as UTF-8"))
		return false
	}
	return true
}

// scan takes the source apart and reads its annotations.
func (m *model) scan() {
	m.source = strings.TrimPrefix(m.source, "\ufeff") // a byte order mark is no code
	m.tokens = lex.Scan(m.lang, m.source)
	m.slots = m.readAnnotations()
}

// atToken reports a finding where a token stands.
func (m *model) atToken(t lex.Token, f Finding) {
	m.atLine(t.Line, lex.Column(m.source, t.Offset), f)
}

// atLine reports a finding at a place of source.
func (m *model) atLine(line, column int, f Finding) {
	if m.places != nil && line >= 1 && line <= len(m.places) {
		at := m.places[line-1]
		line, column = at.line, at.column
	}
	m.onLine(line, column, f)
}

// fileLine is the file's line of a line of source.
func (m *model) fileLine(line int) int {
	if m.places != nil && line >= 1 && line <= len(m.places) {
		return m.places[line-1].line
	}
	return line
}

// code is the tokens without comments.
func (m *model) code() []lex.Token {
	code := make([]lex.Token, 0, len(m.tokens))
	for _, t := range m.tokens {
		if t.Kind != lex.Comment {
			code = append(code, t)
		}
	}
	return code
}

// explicitUnsupported is M-07 for languages whose models cannot read slots.
func (m *model) explicitUnsupported() {
	for _, in := range m.slots.inputs() {
		if u := m.slots.inUse[in]; u.explicit() {
			m.atLine(u.actionAt, 0, m07.says("action is %q, but %s models cannot read slots themselves", u.action, m.runner.name).
				hint("explicit input needs Python"))
			return
		}
	}
}

func (m *model) codeWithoutLines() []lex.Token {
	return slices.DeleteFunc(m.code(), func(t lex.Token) bool { return t.Kind == lex.Newline })
}
