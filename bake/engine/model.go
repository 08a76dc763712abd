// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"path"
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

	content []byte      // of a PFA document, and of a notebook until its cells are read
	source  string      // what is scanned: the file, or the code cells of a notebook
	code    []lex.Token // of source, without comments; nil if there is too much of it
	places  []place     // of source's lines in the file; nil if they are the same
	slots   slots
	marker  int32 // line of the first function marker such as "# modelop.score"; 0 is none
	modules []string

	// PFA types of slots 0 and 1 stand in the document.
	input, output *schema
}

// place is where a line of a notebook's code stands in its file.
type place struct{ line, column int32 }

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
	if !checkText(p, content) {
		return m
	}
	if r.document {
		m.content = content
	} else {
		m.source = strings.TrimPrefix(string(content), "\ufeff") // a byte order mark is no code
	}
	r.check(m)
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

// atToken reports a finding where a token stands.
func (m *model) atToken(t lex.Token, f Finding) {
	// Finding a column costs a pass over its line.
	if m.countUp(f) {
		m.putAt(int(t.Line), lex.Column(m.source, t.Offset), f)
	}
}

// atLine reports a finding at a place of source.
func (m *model) atLine(line, column int, f Finding) {
	if m.countUp(f) {
		m.putAt(line, column, f)
	}
}

// putAt keeps a finding that was counted.
func (m *model) putAt(line, column int, f Finding) {
	if m.places != nil && line >= 1 && line <= len(m.places) {
		at := m.places[line-1]
		line, column = int(at.line), int(at.column)
	}
	m.put(line, column, f)
}

// fileLine is the file's line of a line of source.
func (m *model) fileLine(line int) int {
	if m.places != nil && line >= 1 && line <= len(m.places) {
		return int(m.places[line-1].line)
	}
	return line
}

// mentions tells whether a word stands anywhere in the model.
func (m *model) mentions(word string) bool {
	return strings.Contains(m.source, word) || bytes.Contains(m.content, []byte(word))
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
