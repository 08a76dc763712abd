// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

// runners maps a model file's extension to the runner it selects; case
// matters (section 2.1 of the engine contract).
var runners = map[string]string{
	".py":    "python",
	".py3":   "python3",
	".R":     "R",
	".c":     "c",
	".java":  "java",
	".m":     "octave",
	".pfa":   "pfa-json",
	".json":  "pfa-json",
	".yaml":  "pfa-yaml",
	".ppfa":  "pfa-pretty",
	".ipynb": "jupyter",
}

// model loads the file of MODEL; nil if MODEL is no path.
func (in *inspection) model(value string) *Model {
	const variable = "MODEL"
	if value == "" {
		in.problem(variable, "not set")
		return nil
	}
	if !in.validPath(variable, value) {
		return nil
	}
	file, content := in.read(variable, value)
	m := &Model{File: file, Runner: runners[path.Ext(value)], Schemas: map[string]string{}}
	if m.Runner == "" {
		in.problem(variable, "%s: no runner for the extension %q", value, path.Ext(value))
		return m
	}
	if content == nil {
		return m
	}
	switch {
	case !utf8.Valid(content), bytes.IndexByte(content, 0) >= 0:
		in.problem(variable, "%s: not a text in UTF-8", value)
		return m
	case len(bytes.TrimSpace(content)) == 0:
		in.problem(variable, "%s: blank file", value)
		return m
	}
	lines, err := sourceLines(m.Runner, content)
	if err != nil {
		in.problem(variable, "%s: %v", value, err)
		return m
	}
	slots := newSlotTable()
	for _, a := range annotations(m.Runner, lines) {
		if err := slots.apply(a); err != nil {
			in.problem(variable, "%s: %s.%s: %v", value, a.tag, a.scope, err)
		}
	}
	m.Slots, m.Schemas = slots.resolve()
	for _, schema := range m.Schemas {
		if !isInline(schema) {
			continue
		}
		if _, err := parseSchema([]byte(schema)); err != nil {
			in.problem(variable, "%s: inline schema: %v", value, err)
		}
	}
	return m
}

// sourceLines is the text that annotations are looked for in: all of the file,
// or the code cells of a notebook.
func sourceLines(runner string, content []byte) ([]string, error) {
	if runner != "jupyter" {
		return strings.Split(string(content), "\n"), nil
	}
	var notebook struct {
		Cells []struct {
			Type   string          `json:"cell_type"`
			Source json.RawMessage `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(content, &notebook); err != nil {
		return nil, fmt.Errorf("reading the notebook: %w", err)
	}
	var lines []string
	for _, cell := range notebook.Cells {
		if cell.Type != "code" {
			continue
		}
		text, err := cellText(cell.Source)
		if err != nil {
			return nil, fmt.Errorf("reading a notebook cell: %w", err)
		}
		lines = append(lines, strings.Split(text, "\n")...)
	}
	return lines, nil
}

// cellText is a cell's source, which nbformat allows as a string or as a list
// of strings that keep their line ends.
func cellText(raw json.RawMessage) (text string, err error) {
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var parts []string
	err = json.Unmarshal(raw, &parts)
	return strings.Join(parts, ""), err
}
