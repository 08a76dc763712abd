// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// assignment is an annotation for one slot or for a group.
type assignment struct {
	annotation
	tag   string // schema, recordsets or action
	group string // $all, $in, $out, or "" for one slot
	slot  slot
	gone  bool // a later "unused" dropped it
}

func (a assignment) covers(s slot) bool {
	switch a.group {
	case "$all":
		return true
	case "$in":
		return s.isInput()
	case "$out":
		return s.isOutput()
	}
	return a.slot == s
}

// understanding turns annotations into slots, in the order of the file.
type understanding struct {
	*model
	inUse      map[slot]bool
	assigned   []assignment
	deprecated bool
}

// understand reports N-03 to N-10.
func (m *model) understand(all []annotation) slots {
	u := &understanding{model: m, inUse: map[slot]bool{{number: 0}: true, {number: 1}: true}}
	for _, a := range all {
		u.read(a)
	}
	return u.result()
}

func (u *understanding) say(a annotation, f Finding) { u.atLine(a.line, a.column, f) }

func (u *understanding) read(a annotation) {
	switch a.tag {
	case "module-attached":
		if u.unscoped(a) {
			u.modules = append(u.modules, a.value)
		}
	case "snapshots":
		if u.unscoped(a) {
			u.allowed(a, "none", "eof")
		}
	case "input", "output":
		u.old(a, fmt.Sprintf("%s.schema.%d", a.prefix, btoi(a.tag == "output")))
		if u.unscoped(a) {
			u.assign(a, "schema", "", slot{number: btoi(a.tag == "output")})
		}
	case "recordsets":
		if !a.hasScope && slices.Contains([]string{"none", "input", "output", "both"}, a.value) {
			u.oldRecordsets(a)
			return
		}
		u.scoped(a)
	default:
		u.scoped(a)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// unscoped is N-04 for tags that have no scope.
func (u *understanding) unscoped(a annotation) bool {
	if a.hasScope {
		u.say(a, n04.says("%s.%s takes no scope, but has %s", a.prefix, a.tag, quote(a.scope)).hint("write %s.%s: %s", a.prefix, a.tag, a.value))
	}
	return !a.hasScope
}

// old is N-08, once a model.
func (u *understanding) old(a annotation, better string) {
	if !u.deprecated {
		u.say(a, n08.says("%s is deprecated: write %s", a.text(), better).hint("it still works"))
	}
	u.deprecated = true
}

// oldRecordsets is the form that names the sides.
func (u *understanding) oldRecordsets(a annotation) {
	u.old(a, a.prefix+".recordsets.SLOT: true")
	for n, on := range []bool{a.value == "input" || a.value == "both", a.value == "output" || a.value == "both"} {
		b := a
		b.value = strconv.FormatBool(on)
		u.assigned = append(u.assigned, assignment{annotation: b, tag: "recordsets", slot: slot{number: n}})
	}
}

// allowed is N-03. It returns the value as it should be, "" if it is wrong.
func (u *understanding) allowed(a annotation, values ...string) string {
	if slices.Contains(values, a.value) {
		return a.value
	}
	what := strings.Join(values[:len(values)-1], ", ") + " or " + values[len(values)-1]
	if lower := lowerASCII(a.value); slices.Contains(values, lower) {
		u.say(a, n03.says("%s: %s: write %s in lower case", a.text(), a.value, lower).as(Warning).hint("use %s", what))
		return lower
	}
	u.say(a, n03.says("%s: %s is no value for it", a.text(), quote(a.value)).hint("use %s", what))
	return ""
}

// scoped reads the tags that belong to slots.
func (u *understanding) scoped(a annotation) {
	group, which, ok := u.scopeOf(a)
	switch a.tag {
	case "slot":
		a.value = u.allowed(a, "in-use", "unused")
	case "recordsets":
		a.value = u.allowed(a, "true", "yes", "false", "no")
	}
	if !ok || a.value == "" {
		return
	}
	switch a.tag {
	case "slot":
		u.slotTag(a, group, which)
	case "action":
		if group == "$out" || group == "" && !which.isInput() && which.name == "" {
			u.say(a, n06.says("slot %s is an output; callbacks belong to input slots", a.scope).hint("use an even slot number"))
			return
		}
		u.assign(a, "action", group, which)
	default:
		u.assign(a, a.tag, group, which)
	}
}

// slotTag adds a slot to those in use, or removes slots.
func (u *understanding) slotTag(a annotation, group string, which slot) {
	if a.value == "in-use" {
		if group != "" {
			u.say(a, n05.says("in-use needs one slot number, not %s", group).hint("write %s.slot.NUMBER: in-use", a.prefix))
			return
		}
		u.inUse[which] = true
		return
	}
	for s := range u.inUse {
		if (assignment{group: group, slot: which}).covers(s) {
			delete(u.inUse, s)
		}
	}
	for i, earlier := range u.assigned {
		if earlier.group == "" && (assignment{group: group, slot: which}).covers(earlier.slot) {
			u.assigned[i].gone = true
		}
	}
}

func (u *understanding) assign(a annotation, tag, group string, which slot) {
	if group == "" {
		u.inUse[which] = true
	}
	u.assigned = append(u.assigned, assignment{annotation: a, tag: tag, group: group, slot: which})
}

// scopeOf is N-04.
func (u *understanding) scopeOf(a annotation) (group string, which slot, ok bool) {
	if !a.hasScope {
		return annotationTags[a.tag], slot{}, true
	}
	groups := []string{"$all", "$in", "$out"}
	switch {
	case slices.Contains(groups, a.scope):
		return a.scope, slot{}, true
	case validSlot(a.scope):
		n, _ := strconv.Atoi(a.scope)
		return "", slot{number: n}, true
	case isSlotName(a.scope):
		return "", slot{name: a.scope}, true
	}
	hint := "use a slot number (even = input, odd = output), $all, $in or $out"
	switch better := nearest(a.scope, groups); {
	case a.scope == "$input" || a.scope == "$inputs":
		hint = `did you mean "$in"?`
	case a.scope == "$output" || a.scope == "$outputs":
		hint = `did you mean "$out"?`
	case strings.HasPrefix(a.scope, "$") && better != "":
		hint = fmt.Sprintf("did you mean %q?", better)
	}
	u.say(a, n04.says("scope %s of %s.%s is no slot", quote(a.scope), a.prefix, a.tag).hint("%s", hint))
	return "", slot{}, false
}

// isSlotName: ALPHA *( ALPHA / DIGIT / "_" / "-" ).
func isSlotName(s string) bool {
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !isAlnum(c) && c != '_' && c != '-') {
			return false
		}
	}
	return s != ""
}

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
	doc, err := jsonpos.Parse([]byte(a.value))
	if err != nil {
		u.say(a, s01.says("the schema in %s is not JSON: %v", a.text(), err).hint("write Avro as JSON, or the name of a schema"))
		return nil
	}
	line, column := a.line, a.column+a.valueAt
	if u.places != nil {
		line, column = u.fileLine(a.line), 1
	}
	doc.Shift(line, column)
	return parseAvro(doc.Root(), func(at jsonpos.Value, f Finding) { u.at(at, f) })
}
