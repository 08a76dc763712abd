// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
)

var (
	scopePattern  = regexp.MustCompile(`^(0|[1-9][0-9]*|[A-Za-z][A-Za-z0-9_-]*|\$all|\$in|\$out)$`)
	numberPattern = regexp.MustCompile(`^[0-9]+$`)
)

// A slotTable follows a model's annotations from the top: which slots are in
// use, and which schema each was given.
type slotTable struct {
	inUse   map[string]bool
	schemas []annotation // those that still count, in source order
}

// newSlotTable has slots 0 and 1 in use, as an unannotated model does.
func newSlotTable() *slotTable {
	return &slotTable{inUse: map[string]bool{"0": true, "1": true}}
}

// apply takes the next annotation into account. Only a scope that is a single
// slot brings that slot into use.
func (t *slotTable) apply(a annotation) error {
	switch a.tag {
	case "schema", "recordsets", "action", "slot":
	default:
		return nil
	}
	if !scopePattern.MatchString(a.scope) {
		return errors.New("the scope is no slot and none of $all, $in, $out")
	}
	single := a.scope[0] != '$'
	if a.tag == "slot" {
		switch {
		case a.value == "unused":
			t.drop(a.scope)
			return nil
		case a.value != "in-use":
			return errors.New("the value is neither in-use nor unused")
		case !single:
			return errors.New("in-use needs a single slot")
		}
	}
	if single {
		t.inUse[a.scope] = true
	}
	if a.tag == "schema" {
		t.schemas = append(t.schemas, a)
	}
	return nil
}

// drop takes the slots of a scope out of use and forgets what was said of
// each of them by itself.
func (t *slotTable) drop(scope string) {
	maps.DeleteFunc(t.inUse, func(slot string, _ bool) bool { return covers(scope, slot) })
	t.schemas = slices.DeleteFunc(t.schemas, func(a annotation) bool {
		return a.scope[0] != '$' && covers(scope, a.scope)
	})
}

// resolve lists the slots in use, and the schema of each that has one. The
// last annotation that covers a slot wins.
func (t *slotTable) resolve() (slots []string, schemas map[string]string) {
	schemas = map[string]string{}
	for _, a := range t.schemas {
		for slot := range t.inUse {
			if covers(a.scope, slot) {
				schemas[slot] = a.value
			}
		}
	}
	slots = slices.AppendSeq([]string{}, maps.Keys(t.inUse))
	slices.SortFunc(slots, compareSlots)
	return slots, schemas
}

// covers tells whether a scope holds a slot. A named slot has no direction.
func covers(scope, slot string) bool {
	odd := numberPattern.MatchString(slot) && (slot[len(slot)-1]-'0')%2 == 1
	switch scope {
	case "$all":
		return true
	case "$in":
		return numberPattern.MatchString(slot) && !odd
	case "$out":
		return odd
	}
	return scope == slot
}

// compareSlots sorts numbers by value, names after them.
func compareSlots(a, b string) int {
	m, errA := strconv.Atoi(a)
	n, errB := strconv.Atoi(b)
	switch {
	case errA == nil && errB == nil:
		return m - n
	case errA == nil:
		return -1
	case errB == nil:
		return 1
	}
	return slices.Compare([]byte(a), []byte(b))
}
