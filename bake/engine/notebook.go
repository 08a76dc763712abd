// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// checkNotebook is M-16, and the checks of the language for the code cells.
func checkNotebook(m *model) {
	doc, err := jsonpos.Parse(m.content, maxModelValues)
	if err != nil {
		m.say(err, m16.says("the notebook is not JSON").hint("export the code to %s.py3", m.stem))
		return
	}
	root := doc.Root()
	cells := root.Get("cells")
	if cells.Kind() != jsonpos.Array {
		// nbformat 3
		for sheet := range root.Get("worksheets").Items() {
			cells = sheet.Get("cells")
			break
		}
	}
	if cells.Kind() != jsonpos.Array {
		m.at(root, m16.says("the file is no notebook: it has no cells").hint("export the code to %s.py3", m.stem))
		return
	}
	m.add(m16.says("notebooks are accepted by CLI 1.10 only").hint("export the code to %s.py3", m.stem))
	m.readCells(cells)
	if strings.EqualFold(root.Path("metadata", "kernelspec", "language").Text(), "R") ||
		strings.EqualFold(root.Path("metadata", "language_info", "name").Text(), "R") {
		m.lang = lex.R
		checkR(m)
		return
	}
	if m.scan() {
		readPython(m.code).callbacks(m)
	}
}

// say reports what keeps a document from being read as a finding of some rule.
func (p *page) say(err error, f Finding) {
	var syntax *jsonpos.SyntaxError
	var size *jsonpos.SizeError
	switch {
	case errors.As(err, &syntax):
		f.Message += printable(": " + syntax.Message)
		p.onLine(syntax.Line, syntax.Column, f)
	case errors.As(err, &size):
		f.Message = fmt.Sprintf("larger than an engine can be expected to read: %d values", size.Values)
		p.onLine(size.Line, size.Column, f.hint("leave out what the engine does not need; data belongs into a file of its own"))
	default:
		p.add(f)
	}
}

// readCells gathers the lines of the code cells and where they stand.
func (m *model) readCells(cells jsonpos.Value) {
	var code notebookCode
	for cell := range cells.Items() {
		if cell.Get("cell_type").Text() != "code" {
			continue
		}
		text := cell.Get("source")
		if !text.Exists() {
			text = cell.Get("input") // nbformat 3
		}
		if otherLanguage(text) {
			continue
		}
		code.add(text)
		for line := range text.Items() {
			code.add(line)
		}
		code.endLine()
	}
	m.source, m.places, m.content = code.source.String(), code.places, nil
}

// otherLanguage tells whether a cell begins with a magic such as %%bash.
func otherLanguage(text jsonpos.Value) bool {
	first := text.Text()
	for line := range text.Items() {
		first = line.Text()
		break
	}
	word, magic := strings.CutPrefix(strings.TrimLeft(first, " \t\n"), "%%")
	if !magic {
		return false
	}
	word, _, _ = strings.Cut(strings.TrimSpace(word), " ")
	return !strings.HasPrefix(word, "time") && word != "capture" && word != "prun"
}

// notebookCode is the code of a notebook and the place of each of its lines.
type notebookCode struct {
	source strings.Builder
	places []place
	inLine bool // the last line has no end yet
}

// add appends a string of the notebook. Commands to the notebook itself are no
// code.
func (c *notebookCode) add(v jsonpos.Value) {
	line, column := v.Position()
	for text := range strings.Lines(v.Text()) {
		if !c.inLine {
			c.places = append(c.places, place{int32(line), int32(column)})
			if trimmed := strings.TrimLeft(text, " \t"); strings.HasPrefix(trimmed, "%") || strings.HasPrefix(trimmed, "!") {
				text = text[len(strings.TrimRight(text, "\r\n")):]
			}
		}
		c.source.WriteString(text)
		c.inLine = !strings.HasSuffix(text, "\n")
	}
}

func (c *notebookCode) endLine() {
	if c.inLine {
		c.source.WriteByte('\n')
		c.inLine = false
	}
}
