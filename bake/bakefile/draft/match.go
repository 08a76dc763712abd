// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import "slices"

// A want is a schema name or a slot that needs a file.
type want struct {
	name  string // of a schema
	slots []int  // that use the schema, or the one that needs a stream
	from  string // FILE:LINE that asks for it

	set    []*file // that can still be it
	first  []*file // that could be it to begin with
	chosen *file   // nil while open
	why    string
}

// side is that of all the want's slots, or either.
func (w *want) side() side {
	s := sideOf(w.slots[0])
	for _, n := range w.slots {
		if sideOf(n) != s {
			return either
		}
	}
	return s
}

// slot is the want's only slot, or -1.
func (w *want) slot() int {
	if len(w.slots) != 1 {
		return -1
	}
	return w.slots[0]
}

// A matcher gives files to wants, by one rule after the other.
type matcher struct {
	wants  []*want
	shared bool // one file may be given to several
}

// open are the wants that have no file yet.
func (m *matcher) open() []*want {
	return slices.DeleteFunc(slices.Clone(m.wants), func(w *want) bool { return w.chosen != nil })
}

func (m *matcher) give(w *want, f *file, why string) {
	w.chosen, w.why = f, why
	for _, other := range m.open() {
		other.set = without(other.set, f)
	}
}

// without is a copy.
func without(files []*file, f *file) []*file {
	return slices.DeleteFunc(slices.Clone(files), func(g *file) bool { return g == f })
}

// rule gives each want the one file that fits it, unless that file fits
// another as well. Where several fit, the others are out.
func (m *matcher) rule(why string, fits func(*want, *file) bool) {
	hits := make(map[*want][]*file)
	claims := make(map[*file]int)
	open := m.open()
	for _, w := range open {
		for _, f := range w.set {
			if fits(w, f) {
				hits[w] = append(hits[w], f)
				claims[f]++
			}
		}
	}
	for _, w := range open {
		switch found := hits[w]; {
		case len(found) == 1 && claims[found[0]] == 1:
			m.give(w, found[0], why)
		case len(found) > 1:
			w.set = slices.DeleteFunc(slices.Clone(w.set), func(f *file) bool { return !slices.Contains(found, f) })
		}
	}
}

// exclude takes files out of the question.
func (m *matcher) exclude(unfit func(*want, *file) bool) {
	for _, w := range m.open() {
		w.set = slices.DeleteFunc(slices.Clone(w.set), func(f *file) bool { return unfit(w, f) })
	}
}

// rest gives the wants that have only one file left that file, until none has.
func (m *matcher) rest(why string) {
	for _, w := range m.open() {
		if m.shared && len(w.first) == 1 {
			m.give(w, w.first[0], why)
		}
	}
	for again := true; again; {
		again = false
		open := m.open()
		for _, w := range open {
			if len(w.set) != 1 || slices.ContainsFunc(open, func(o *want) bool { return o != w && len(o.set) == 1 && o.set[0] == w.set[0] }) {
				continue
			}
			m.give(w, w.set[0], why)
			again = true
			break
		}
	}
}
