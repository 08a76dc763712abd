// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
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
