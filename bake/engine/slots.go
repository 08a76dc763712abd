// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A slot is where a stream attaches: a number, or a name that no stream can
// be bound to.
type slot struct {
	number int
	name   string
}

func (s slot) String() string {
	if s.name != "" {
		return s.name
	}
	return strconv.Itoa(s.number)
}

func (s slot) isInput() bool  { return s.name == "" && s.number%2 == 0 }
func (s slot) isOutput() bool { return s.name == "" && s.number%2 == 1 }

func compareSlots(a, b slot) int {
	return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.number, b.number))
}

// slots is what a model's annotations say about its slots.
type slots struct {
	inUse     map[slot]use
	mentioned []string // names of schemas, those of unused slots too
}

// use is what the annotations say about one slot in use.
type use struct {
	schema     annotation // zero if none
	inline     *schema    // parsed value of schema, if it is Avro
	recordsets bool
	action     string // of an input; "none" is explicit
	actionAt   int    // its line; 0 for the default
}

func (u use) explicit() bool { return u.action == "none" || u.action == "unused" }

// defaultSlots are those of a model without annotations.
func defaultSlots() slots {
	return slots{inUse: map[slot]use{{number: 0}: {action: "action"}, {number: 1}: {}}}
}

// sorted are the slots in use.
func (s slots) sorted() []slot {
	return slices.SortedFunc(maps.Keys(s.inUse), compareSlots)
}

// inputs are the input slots in use.
func (s slots) inputs() []slot {
	return slices.DeleteFunc(s.sorted(), func(x slot) bool { return !x.isInput() })
}
