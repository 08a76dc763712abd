// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

const (
	// maxModelValues is how many values a PFA document or a notebook may have,
	// at 16 bytes each and not counting arrays of numbers: 60 MB of decision
	// trees.
	maxModelValues = 8_000_000
	// maxYAMLValues is the same for YAML, whose decoder needs 200 bytes a value.
	maxYAMLValues = 500_000
)

func checkPFA(m *model) {
	doc, err := jsonpos.Parse(m.content, maxModelValues)
	if err != nil {
		m.say(err, m11.says("the model is not JSON").hint("its extension selects PFA as JSON; PFA as YAML needs .yaml"))
		return
	}
	m.checkPFADocument(doc.Root())
}

func checkPFAYAML(m *model) {
	m.commentsOfPFA("#", linesOf(m.content))
	doc, err := jsonpos.ParseYAML(m.content, maxYAMLValues)
	if size := (*jsonpos.SizeError)(nil); errors.As(err, &size) {
		// The engine may read it all the same, if slowly.
		m.add(x00.says("more than %d values: the content was not checked; JSON of that size would be", maxYAMLValues))
		return
	}
	if err != nil {
		m.say(err, m11.says("the model is not YAML").hint("its extension selects PFA as YAML"))
		return
	}
	m.checkPFADocument(doc.Root())
}

// checkPFADocument is M-11 to M-13.
func (m *model) checkPFADocument(root jsonpos.Value) {
	if root.Kind() != jsonpos.Object {
		f := m11.says("the top level is %s, not an object", root.Kind()).hint("a PFA document is an object with input, output and action")
		if strings.HasPrefix(strings.TrimSpace(root.Text()), "{") {
			f = m11.says("the top level is a string, not an object; the document was encoded twice").hint("write the document itself, not its JSON inside a string")
		}
		m.at(root, f)
		return
	}
	var lost []string
	for _, key := range []string{"input", "output", "action"} {
		if !root.Get(key).Exists() {
			lost = append(lost, key)
		}
	}
	if len(lost) > 0 {
		hint := "a PFA document is an object with input, output and action"
		if root.Get("Transport").Exists() {
			hint = "the file is a stream descriptor; bind it with --stream"
		}
		m.at(root, m11.says("the document has no %s", strings.Join(lost, ", no ")).hint("%s", hint))
	}
	declared := declarations(root)
	m.input = m.typeOfPFA("input", root.Get("input"), declared)
	m.output = m.typeOfPFA("output", root.Get("output"), declared)
	m.metadataOfPFA(root.Get("metadata"))
}

// declarations are all named types of a document, wherever they stand.
func declarations(root jsonpos.Value) map[string]jsonpos.Value {
	all := make(map[string]jsonpos.Value)
	for v := range root.Objects() {
		switch v.Get("type").Text() {
		case "record", "error", "enum", "fixed":
			if name := v.Get("name").Text(); name != "" {
				full := fullName(name, v.Get("namespace").Text())
				if _, twice := all[full]; !twice {
					all[full] = v
				}
			}
		}
	}
	return all
}

// typeOfPFA is M-12. What only Avro files must obey, such as declaring a name
// once, is not asked of PFA.
func (m *model) typeOfPFA(key string, v jsonpos.Value, declared map[string]jsonpos.Value) *schema {
	if !v.Exists() {
		return nil
	}
	failed := false
	p := &avroParser{
		show:     quote,
		names:    make(map[string]*schema),
		declared: declared,
		report: func(at jsonpos.Value, f Finding) {
			if f.Severity < Error || f.Rule == ruleTable[s05].ID {
				return
			}
			failed = true
			m.at(at, m12.says("%s: %s", key, f.Message).hint("%s", f.Hint))
		},
	}
	s := p.parse(v, "")
	if failed {
		return nil
	}
	return s
}

// metadataOfPFA is M-13 and N-11.
func (m *model) metadataOfPFA(v jsonpos.Value) {
	if !v.Exists() {
		return
	}
	if v.Kind() != jsonpos.Object {
		m.at(v, m13.says("metadata is %s, not an object", v.Kind()).as(Warning).hint("write an object of strings"))
		return
	}
	for key, value := range v.Members() {
		if value.Kind() != jsonpos.String {
			m.at(value, m13.says("metadata %s is %s, not a string", quote(key.Text()), value.Kind()).as(Warning).hint("quote it"))
			continue
		}
		m.metadata(key.Text(), value.Text(), func(f Finding) { m.at(value, f) })
	}
}

// metadata checks one entry, of PFA or PrettyPFA.
func (m *model) metadata(key, value string, say func(Finding)) {
	allowed := map[string][]string{"recordsets": {"none", "input", "output", "both"}, "snapshots": {"none", "eof"}}[key]
	base, scope, scoped := strings.Cut(key, ".")
	switch {
	case allowed != nil && !slices.Contains(allowed, value):
		say(m13.says("metadata.%s %s is no value for it", key, quote(value)).hint("use %s", strings.Join(allowed, ", ")))
	case scoped && (validSlot(scope) || strings.HasPrefix(scope, "$")):
		if _, known := annotationTags[base]; known {
			say(n11.says("metadata key %s is ignored: PFA models have no slot scopes", quote(key)).
				hint("use recordsets: none, input, output or both; schemas are input and output themselves"))
		}
	}
}

func linesOf(content []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		for line := range bytes.Lines(content) {
			if !yield(string(line)) {
				return
			}
		}
	}
}

// commentsOfPFA is N-11 for annotations in comments.
func (m *model) commentsOfPFA(mark string, lines iter.Seq[string]) {
	line := 0
	for text := range lines {
		line++
		body, ok := strings.CutPrefix(strings.TrimLeft(text, " \t"), mark)
		if !ok {
			continue
		}
		a, what, _ := readAnnotation(strings.TrimRight(strings.TrimLeft(body, mark), "\r\n"))
		if _, known := annotationTags[a.tag]; known && what == annotating {
			m.onLine(line, 1, n11.says("%s is ignored: PFA models have no annotations in comments", quote(a.text())).
				hint("use the document's input, output and metadata"))
		}
	}
}
