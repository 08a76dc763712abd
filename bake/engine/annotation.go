// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import "strings"

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
	if m.enough(n01) {
		return
	}
	m.atLine(a.line, a.column, n01.says("%s %s and will be ignored", quote(a.text()), why).hint("%s", hint))
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
