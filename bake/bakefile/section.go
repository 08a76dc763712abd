// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"slices"
	"strings"
)

// A section is a mapping of the keys of a bake: a plain file, the defaults of
// a fleet, a bake, a profile.
type section struct {
	pos
	fields map[string]setting
	broken bool // a problem has been added; keys may be absent for that reason
}

// A setting is what a section has under one key: one text of a scalar, those
// of a list, or those of a mapping with their keys. It is broken if a problem
// has been added.
type setting struct {
	texts  []*text
	broken bool
}

// A text is a scalar that is expanded and checked once, however many bakes
// share it.
type text struct {
	pos
	label    string // names it in messages
	key      string // in a mapping
	check    func(label, value string) error
	template template
	state    state
	value    string // where good
}

type state int

const (
	unread state = iota
	good
	bad // a problem has been added
)

// topKeys are keys of a file that are no keys of a bake.
var topKeys = []string{"profiles", "defaults", "bakes"}

// decodeSection reads the keys of a bake. what names the section in messages;
// the keys in skip are read elsewhere.
func decodeSection(n *node, what string, skip []string, ps *problems) section {
	s := section{pos: n.pos, fields: map[string]setting{}}
	if !wants(n, mapping, what, ps) {
		s.broken = true
		return s
	}
	for _, e := range n.entries {
		f := fieldNamed(e.key)
		switch {
		case f != nil:
			s.fields[f.name] = decodeSetting(e.value, f, ps)
		case slices.Contains(skip, e.key):
		case slices.Contains(topKeys, e.key):
			ps.add(e.pos, fmt.Sprintf("key %q belongs to the top level of the file", e.key), "")
		default:
			hint, meant := didYouMean(e.key, "keys", slices.Concat(fieldNames, skip))
			ps.add(e.pos, fmt.Sprintf("unknown key %q", e.key), hint)
			s.broken = s.broken || meant != ""
		}
	}
	return s
}

// wants tells whether n is of kind k, and adds a problem if not.
func wants(n *node, k kind, label string, ps *problems) bool {
	switch n.kind {
	case k:
		return true
	case broken:
	case null:
		ps.add(n.pos, label+" is null", map[kind]string{
			scalar:  `give it a value ("" is an empty one), or remove it`,
			list:    "write [] for none, or remove the key",
			mapping: "write {} for none, or remove the key",
		}[k])
	default:
		ps.add(n.pos, fmt.Sprintf("%s is %s; want %s", label, n.kind, k), "")
	}
	return false
}

func decodeSetting(n *node, f *field, ps *problems) setting {
	if !wants(n, f.kind, f.name, ps) {
		return setting{broken: true}
	}
	var s setting
	switch f.kind {
	case scalar:
		s.texts = []*text{decodeText(n, f.name, "", f, ps)}
	case list:
		if f.parts != nil {
			return decodeItems(n, f, ps)
		}
		for _, item := range n.items {
			s.texts = append(s.texts, decodeText(item, f.name+" item", "", f, ps))
		}
	case mapping:
		s.texts = decodeEntries(n, f, ps)
	}
	return s
}

func decodeEntries(n *node, f *field, ps *problems) []*text {
	var ts []*text
	seen := map[string]pos{} // by canonical key
	for _, e := range n.entries {
		label := fmt.Sprintf("%s %q", f.name, e.key)
		t := decodeText(e.value, label, e.key, f, ps)
		ts = append(ts, t)
		if strings.Contains(e.key, "${") {
			ps.add(e.pos, label+": variables are expanded in values, not in keys", "")
			t.state = bad
			continue
		}
		if f.key != nil {
			var err error
			if t.key, err = f.key(e.key); err != nil {
				ps.addError(e.pos, err)
				t.state = bad
				continue
			}
		}
		if first, ok := seen[t.key]; ok {
			ps.add(e.pos, fmt.Sprintf("%s repeats the key in line %d", label, first.line), "")
			t.state = bad
		}
		seen[t.key] = e.pos
	}
	return ts
}

func decodeText(n *node, label, key string, f *field, ps *problems) *text {
	t := &text{pos: n.pos, label: label, key: key, check: f.check}
	if !wants(n, scalar, label, ps) {
		t.state = bad
		return t
	}
	var err error
	if t.template, err = parseTemplate(n.text); err != nil {
		ps.addError(t.pos, fmt.Errorf("%s: %w", label, err))
		t.state = bad
		return t
	}
	if t.template.constant() {
		t.read(nil, maxText, ps)
	}
	return t
}

// read expands and checks t unless that was done before, and tells whether it
// has a value.
func (t *text) read(lookup func(string) (string, bool), limit int, ps *problems) bool {
	if t.state != unread {
		return t.state == good
	}
	t.state = bad
	s, err := t.template.expand(lookup, limit)
	if err != nil {
		ps.addError(t.pos, fmt.Errorf("%s: %w", t.label, err))
		return false
	}
	if t.check != nil {
		if err := t.check(t.label, s); err != nil {
			ps.addError(t.pos, err)
			return false
		}
	}
	t.state, t.value, t.template = good, s, nil
	return true
}

// merge gives the keys of all sections. The later one's scalars and lists
// replace, its mappings add and replace keys.
func merge(sections ...section) section {
	m := section{fields: map[string]setting{}}
	for _, s := range sections {
		m.broken = m.broken || s.broken
		for name, over := range s.fields {
			under, ok := m.fields[name]
			if ok && fieldNamed(name).kind == mapping {
				over.texts = mergeTexts(under.texts, over.texts)
				over.broken = over.broken || under.broken
			}
			m.fields[name] = over
		}
	}
	return m
}

func mergeTexts(under, over []*text) []*text {
	merged := slices.Clone(under)
	index := make(map[string]int, len(under))
	for i, t := range under {
		index[t.key] = i
	}
	for _, t := range over {
		if i, ok := index[t.key]; ok {
			merged[i] = t
		} else {
			merged = append(merged, t)
		}
	}
	return merged
}
