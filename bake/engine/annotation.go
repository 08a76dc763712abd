// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// An annotation is a smart comment: prefix.tag[.scope]: value.
type annotation struct {
	line, column int // of the comment, in the model's source
	prefix, tag  string
	scope        string
	hasScope     bool
	value        string
	valueAt      int // offset of value in the comment's line
}

// text is the annotation without its value.
func (a annotation) text() string {
	s := a.prefix + "." + a.tag
	if a.hasScope {
		s += "." + a.scope
	}
	return s
}

// annotationTags by name, with the default scope of those that have one.
var annotationTags = map[string]string{
	"schema": "$all", "recordsets": "$all", "action": "$in", "slot": "$all",
	"module-attached": "", "snapshots": "", "input": "", "output": "",
}

// reading is what a comment turned out to be.
type reading int

const (
	ordinary   reading = iota // a comment like any other
	isMarker                  // a function marker
	isMeant                   // looks like an annotation and is none
	annotating                // an annotation, if its tag is known
)

// readAnnotation reads the text of a comment, without its mark. For what is
// only meant as an annotation, it says what is wrong.
func readAnnotation(body string) (a annotation, what reading, wrong string) {
	rest := strings.TrimLeft(body, " \t")
	a.prefix, rest = cutPrefix(rest)
	if a.prefix == "" {
		return a, ordinary, ""
	}
	n := 0
	for n < len(rest) && (isAlnum(rest[n]) || rest[n] == '-' || rest[n] == '_') {
		n++
	}
	a.tag, rest = rest[:n], rest[n:]
	_, known := annotationTags[a.tag]
	if strings.HasPrefix(rest, ".") {
		a.hasScope = true
		n = strings.IndexAny(rest, " \t:")
		if n < 0 {
			n = len(rest)
		}
		a.scope, rest = rest[1:n], rest[n:]
	}
	rest = strings.TrimLeft(rest, " \t")
	switch {
	case a.tag == "" || rest != "" && rest[0] != ':' && !known:
		return a, ordinary, ""
	case rest == "" || rest[0] != ':':
		if !a.hasScope && isFunctionMarker(a.tag) {
			return a, isMarker, ""
		}
		if !known {
			return a, ordinary, ""
		}
		return a, isMeant, `has no ":"`
	case isFunctionMarker(a.tag):
		return a, ordinary, ""
	}
	value := strings.TrimLeft(rest[1:], " \t")
	a.value, a.valueAt = strings.TrimRight(value, " \t\r"), len(body)-len(value)
	switch {
	case strings.Contains(a.prefix, " "):
		return a, isMeant, "has a prefix with a space"
	case a.value == "":
		return a, isMeant, "has no value"
	case strings.ContainsAny(a.value, " \t") && (a.tag != "schema" || !isInline(a.value)):
		if !known {
			return a, ordinary, ""
		}
		return a, isMeant, "has more than one word for a value"
	}
	return a, annotating, ""
}

// cutPrefix takes the prefix and its dot off; it returns "" if there is none.
func cutPrefix(s string) (prefix, rest string) {
	for _, p := range []string{"fastscore", "modelop center", "modelop", "odg"} {
		if len(s) > len(p) && s[len(p)] == '.' && strings.EqualFold(s[:len(p)], p) {
			return s[:len(p)], s[len(p)+1:]
		}
	}
	return "", s
}

func isFunctionMarker(tag string) bool {
	return tag == "init" || tag == "score" || tag == "metrics" || tag == "train"
}

// isInline tells whether the value of a schema annotation is Avro, not a name.
func isInline(value string) bool {
	return value != "" && strings.IndexByte(`{["`, value[0]) >= 0
}

// readAnnotations reports N-01, N-02 and N-12 and returns what the
// annotations say about the slots.
func (m *model) readAnnotations() slots {
	var all []annotation
	commented := make(map[int]bool) // lines that begin with a comment of the language
	for _, t := range m.tokens {
		if t.Kind != lex.Comment {
			continue
		}
		if strings.Contains(t.Text, "\n") || strings.HasPrefix(t.Text, "/*") {
			m.block(t, commented)
			continue
		}
		mark := len(t.Text) - len(strings.TrimLeft(t.Text, m.runner.marks))
		if mark < m.runner.count {
			continue
		}
		a, what, wrong := readAnnotation(t.Text[mark:])
		a.line, a.column, a.valueAt = t.Line, lex.Column(m.source, t.Offset), a.valueAt+mark
		if t.First {
			commented[t.Line] = true
		} else if what == annotating {
			if _, known := annotationTags[a.tag]; known {
				m.notAnnotation(a, "follows code on its line", "put it on a line of its own")
			}
			continue
		}
		switch what {
		case isMarker:
			if t.First {
				m.markers = append(m.markers, t.Line)
			}
		case isMeant:
			m.notAnnotation(a, wrong, "write "+a.example())
		case annotating:
			all = append(all, a)
		}
	}
	m.elsewhere(commented)
	return m.understand(m.known(all))
}

// example is how the annotation should look.
func (a annotation) example() string {
	prefix := strings.ToLower(a.prefix)
	if prefix == "modelop center" {
		prefix = "modelop"
	}
	value, _, _ := strings.Cut(a.value, " ")
	if value == "" || len(value) > 40 {
		value = "VALUE"
	}
	a.prefix = prefix
	return quote(a.text() + ": " + value)
}

// notAnnotation is N-01.
func (m *model) notAnnotation(a annotation, why, hint string) {
	m.atLine(a.line, a.column, n01.says("%s %s and will be ignored", quote(a.text()), why).hint("%s", hint))
}

// block looks into a comment of more than one line for annotations, which
// have no effect there.
func (m *model) block(t lex.Token, commented map[int]bool) {
	line := t.Line
	for text := range strings.Lines(t.Text) {
		text = strings.TrimRight(strings.TrimRight(text, "\r\n"), "*/ \t")
		a, what, _ := readAnnotation(strings.TrimLeft(text, "/*%#{ \t"))
		a.line = line
		if _, known := annotationTags[a.tag]; known && what == annotating {
			m.notAnnotation(a, "stands in a block comment", "use line comments")
		}
		commented[line] = true
		line++
	}
}

// elsewhere looks for annotations in lines that are no comments: the mark of
// another language, or a string.
func (m *model) elsewhere(commented map[int]bool) {
	line := 0
	for text := range strings.Lines(m.source) {
		line++
		trimmed := strings.TrimLeft(text, " \t")
		if trimmed == "" || strings.IndexByte("#/%*-;!", trimmed[0]) < 0 || commented[line] {
			continue
		}
		a, what, _ := readAnnotation(strings.TrimLeft(trimmed, "#/%*-;! \t"))
		if _, known := annotationTags[a.tag]; known && what == annotating {
			a.line = line
			m.notAnnotation(a, "is not in a comment of "+m.runner.name, "start the line with "+quote(strings.Repeat(m.runner.marks[:1], m.runner.count)))
		}
	}
}

// known reports N-02 and N-12 and keeps the annotations that have a tag.
func (m *model) known(all []annotation) []annotation {
	tags := []string{"schema", "recordsets", "action", "slot", "module-attached", "snapshots", "input", "output"}
	uncommon := 0
	var known []annotation
	for _, a := range all {
		if _, ok := annotationTags[a.tag]; !ok {
			m.atLine(a.line, a.column, n02.says("unknown annotation %s.%s", a.prefix, a.tag).
				hint("%s", didYouMean(a.tag, tags, "the annotations are "+strings.Join(tags, ", "))))
			continue
		}
		known = append(known, a)
		if a.prefix == "fastscore" || a.prefix == "modelop" {
			continue
		}
		if uncommon++; uncommon == 1 { // once is enough
			better := a
			if better.prefix = strings.ToLower(a.prefix); better.prefix == "odg" {
				better.prefix = "fastscore"
			}
			m.atLine(a.line, a.column, n12.says("write %s instead of %s", better.text(), a.text()).
				hint("engines are documented with fastscore. and modelop. in lower case"))
		}
	}
	return known
}
