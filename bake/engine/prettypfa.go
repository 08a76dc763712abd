// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// A section of PrettyPFA: a header in column 1, and the tokens up to the next.
type section struct {
	header lex.Token
	body   []lex.Token
}

// checkPrettyPFA is M-14, M-13 and N-11.
func checkPrettyPFA(m *model) {
	m.commentsOfPFA("//", strings.Lines(m.source))
	if !m.readCode(func(lex.Token) {}) {
		return
	}
	sections := prettySections(m.code)
	for _, name := range []string{"input", "output", "action"} {
		if _, ok := sections[name]; !ok {
			m.add(m14.says("section %q is missing", name+":").hint("sections begin in the first column: %s: …", name))
		}
	}
	types := prettyTypes(sections["types"].body)
	m.input = types.parse(sections["input"].body)
	m.output = types.parse(sections["output"].body)
	m.prettyMetadata(sections["metadata"].body)
}

// prettySections are the sections by name.
func prettySections(code []lex.Token) map[string]section {
	all := make(map[string]section)
	name, start := "", 0
	for i, t := range code {
		if !t.First || t.Indent > 0 || t.Kind != lex.Name || t.Depth > 0 || i+1 >= len(code) || !code[i+1].Is(":") {
			continue
		}
		if name != "" {
			s := all[name]
			s.body = code[start:i]
			all[name] = s
		}
		name, start = t.Text, i+2
		all[name] = section{header: t}
	}
	if name != "" {
		s := all[name]
		s.body = code[start:]
		all[name] = s
	}
	return all
}

// prettyMetadata reads "key: value" pairs, with or without quotes.
func (m *model) prettyMetadata(body []lex.Token) {
	for start := 0; start < len(body); {
		end := start + 1
		for end < len(body) && !body[end].First && !body[end].Is(",") && !body[end].Is(";") {
			end++
		}
		pair := body[start:end]
		start = end
		var key, value strings.Builder
		into := &key
		for _, t := range pair {
			switch {
			case t.Is(":") && into == &key, t.Is("=") && into == &key:
				into = &value
			case t.Kind == lex.String:
				into.WriteString(t.Value())
			case !t.Is(",") && !t.Is(";") && !t.Is("{") && !t.Is("}"):
				into.WriteString(t.Text)
			}
		}
		if key.Len() > 0 && into == &value {
			m.metadata(key.String(), value.String(), func(f Finding) { m.atToken(pair[0], f) })
		}
	}
}

// prettyTypeParser reads types as PrettyPFA writes them. What it does not
// understand is nil, an unknown type.
type prettyTypeParser struct {
	names map[string]*schema
	rest  []lex.Token
	depth int
	lost  bool
}

// prettyTypes reads the section "types:", a list of "name = type;".
func prettyTypes(body []lex.Token) *prettyTypeParser {
	p := &prettyTypeParser{names: make(map[string]*schema)}
	for i := 0; i+2 < len(body); i++ {
		if body[i].Depth > 0 || body[i].Kind != lex.Name || !body[i+1].Is("=") {
			continue
		}
		if s := p.parse(body[i+2:]); s != nil {
			p.names[body[i].Text] = s
		}
	}
	return p
}

// parse reads the type that the tokens begin with.
func (p *prettyTypeParser) parse(tokens []lex.Token) *schema {
	p.rest, p.lost, p.depth = tokens, false, 0
	if s := p.typ(); !p.lost {
		return s
	}
	return nil
}

func (p *prettyTypeParser) take() lex.Token {
	if len(p.rest) == 0 {
		p.lost = true
		return lex.Token{}
	}
	t := p.rest[0]
	p.rest = p.rest[1:]
	return t
}

func (p *prettyTypeParser) at(text string) bool { return len(p.rest) > 0 && p.rest[0].Is(text) }

func (p *prettyTypeParser) typ() *schema {
	if p.depth++; p.depth > 200 || p.lost {
		p.lost = true
		return nil
	}
	defer func() { p.depth-- }()
	name := p.take()
	if name.Kind != lex.Name {
		p.lost = true
		return nil
	}
	if !p.at("(") {
		if isPrimitive(name.Text) {
			return &schema{kind: name.Text}
		}
		s, ok := p.names[name.Text]
		p.lost = p.lost || !ok
		return s
	}
	p.take()
	s := p.composed(name.Text)
	if !p.take().Is(")") {
		p.lost = true
	}
	if s.name != "" && !p.lost {
		p.names[s.name] = s
	}
	return s
}

// composed reads what stands between the parentheses of a type.
func (p *prettyTypeParser) composed(kind string) *schema {
	s := &schema{kind: kind}
	switch kind {
	case "array", "map":
		s.element = p.typ()
	case "union":
		s.branches = append(s.branches, p.typ())
		for p.at(",") {
			p.take()
			s.branches = append(s.branches, p.typ())
		}
	case "record":
		s.name = p.take().Text
		for p.at(",") {
			p.take()
			field := schemaField{name: p.take().Text}
			p.lost = p.lost || !p.take().Is(":")
			field.typ = p.typ()
			s.fields = append(s.fields, field)
		}
	default: // enum and fixed: rarely seen, and their content never decides
		p.lost = true
	}
	return s
}
