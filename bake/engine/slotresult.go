// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"maps"
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// result expands the groups; the last assignment in the file wins.
func (u *understanding) result() slots {
	s := slots{inUse: make(map[slot]use, len(u.inUse))}
	for _, a := range u.assigned {
		if a.tag == "schema" {
			s.mentioned = append(s.mentioned, a.value)
		}
	}
	conflicts := make(map[[2]int]bool)
	inline := make(map[int]*schema) // by line
	for _, which := range slices.SortedFunc(maps.Keys(u.inUse), compareSlots) {
		var x use
		if which.isInput() {
			x.action = "action"
		}
		winners := make(map[string]annotation)
		for _, a := range u.assigned {
			if a.gone || !a.covers(which) {
				continue
			}
			if earlier, ok := winners[a.tag]; ok && !sameValue(a.tag, earlier.value, a.value) && !conflicts[[2]int{earlier.line, a.line}] {
				conflicts[[2]int{earlier.line, a.line}] = true
				u.say(a.annotation, n09.says("slot %s: %s %s (line %d) is overridden by %s", which, a.tag, quote(earlier.value),
					u.fileLine(earlier.line), quote(a.value)).hint("remove one of the two; the last one in the file wins"))
			}
			winners[a.tag] = a.annotation
		}
		x.schema = winners["schema"]
		x.recordsets = isTrue(winners["recordsets"].value)
		if a, ok := winners["action"]; ok && which.isInput() {
			x.action, x.actionAt = a.value, a.line
		}
		if isInline(x.schema.value) {
			line := x.schema.line
			if _, ok := inline[line]; !ok {
				inline[line] = u.inlineSchema(x.schema)
			}
			x.inline = inline[line]
		}
		s.inUse[which] = x
	}
	u.mixed(s)
	return s
}

func isTrue(value string) bool { return value == "true" || value == "yes" }

func sameValue(tag, a, b string) bool {
	switch tag {
	case "recordsets":
		return isTrue(a) == isTrue(b)
	case "action":
		return a == b || (use{action: a}).explicit() && (use{action: b}).explicit()
	}
	return a == b
}

// mixed is N-07.
func (u *understanding) mixed(s slots) {
	var callback, explicit []slot
	for _, in := range s.inputs() {
		if s.inUse[in].explicit() {
			explicit = append(explicit, in)
		} else {
			callback = append(callback, in)
		}
	}
	if len(callback) > 0 && len(explicit) > 0 {
		u.atLine(s.inUse[explicit[0]].actionAt, 0, n07.says("slots %s and %s mix callback and explicit input", callback[0], explicit[0]).
			hint("give every input slot a callback, or none"))
	}
}

// inlineSchema is N-10, and the S rules for the value.
func (u *understanding) inlineSchema(a annotation) *schema {
	u.say(a, n10.says("inline schemas in annotations are not documented").hint("bind a schema file and write its name"))
	report := func(at jsonpos.Value, f Finding) {
		if !u.countUp(f) {
			return
		}
		_, column := at.Position()
		if u.places != nil {
			column = 0 // the notebook's string begins where its line does
		}
		u.putAt(a.line, column, f)
	}
	doc, err := jsonpos.Parse([]byte(a.value), maxValues)
	if err != nil {
		var syntax *jsonpos.SyntaxError
		if !errors.As(err, &syntax) {
			u.say(a, s01.says("the schema in %s is larger than an engine can be expected to read", a.text()).hint("bind a schema file"))
			return nil
		}
		u.atLine(a.line, a.column+a.valueAt+syntax.Column-1, s01.says("the schema in %s is not JSON: %s", a.text(), syntax.Message).
			hint("write Avro as JSON, or the name of a schema"))
		return nil
	}
	doc.Shift(a.line, a.column+a.valueAt)
	return parseAvro(doc.Root(), quote, report)
}
