// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
)

// annotationLine is a whole line: comment mark, prefix, tag, scope, value
// (section 2.2 of the engine contract).
var annotationLine = regexp.MustCompile(
	`^[ \t]*(#+|/{2,}|%+)[ \t]*(?i:fastscore|modelop|odg)\.([a-z-]+)(?:\.([^\s.:]+))?[ \t]*:[ \t]*(\S.*?)[ \t\r]*$`)

// marks are the comment characters of the runners that have annotations. PFA
// keeps its schemas in the document and has none.
var marks = map[string]string{
	"python":  "#",
	"python3": "#",
	"R":       "#",
	"jupyter": "#",
	"c":       "/",
	"java":    "/",
	"octave":  "%#",
}

// An annotation is one smart comment.
type annotation struct {
	tag   string // one of today's tags: deprecated ones are rewritten
	scope string // a slot, a slot's name, or $all, $in, $out
	value string
}

// annotations are those of a model's source, in its order. Lines that only
// look like annotations are comments to an engine and are left out.
func annotations(runner string, lines []string) []annotation {
	var found []annotation
	for _, line := range lines {
		m := annotationLine.FindStringSubmatch(line)
		if m == nil || !strings.Contains(marks[runner], m[1][:1]) {
			continue
		}
		a := annotation{tag: m[2], scope: m[3], value: m[4]}
		if len(strings.Fields(a.value)) > 1 && !isInline(a.value) {
			continue
		}
		found = append(found, a.withScope())
	}
	return found
}

// withScope fills in the default scope and the slots of deprecated tags.
func (a annotation) withScope() annotation {
	switch {
	case a.tag == "input":
		a.tag, a.scope = "schema", "0"
	case a.tag == "output":
		a.tag, a.scope = "schema", "1"
	case a.scope != "":
	case a.tag == "action":
		a.scope = "$in"
	default:
		a.scope = "$all"
	}
	return a
}

// isInline tells an Avro schema in place from a schema's name.
func isInline(schema string) bool {
	return schema != "" && strings.ContainsAny(schema[:1], `{["`)
}
