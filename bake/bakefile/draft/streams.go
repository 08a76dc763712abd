// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"slices"
)

// matchStreams finds the stream descriptors of the slots.
func (c *choices) matchStreams() []*want {
	m := &matcher{shared: true}
	for _, s := range c.model.model.Slots {
		w := &want{slots: []int{s.Number}, name: s.Schema, from: c.model.name}
		for _, f := range c.findings.streams {
			if c.serves(f, s.Number) {
				w.set = append(w.set, f)
			}
		}
		w.first = w.set
		m.wants = append(m.wants, w)
	}
	m.rule("the file names the slot", func(w *want, f *file) bool { return slotIn(f.stem(), w.slot()) })
	m.rule("the file has the name of the slot's schema", func(w *want, f *file) bool { return alike(f.stem(), w.name) })
	m.rule("the file is named for that side", func(w *want, f *file) bool { return sideIn(f.stem()) == w.side() })
	m.rule("it refers to the slot's schema", func(w *want, f *file) bool { return w.name != "" && f.survey.Ref == w.name })
	m.rule("what it says of the data is that side", func(w *want, f *file) bool {
		return slices.ContainsFunc(f.survey.About, func(text string) bool { return sideIn(text) == w.side() })
	})
	m.rule("what it says of the data is the slot's schema", func(w *want, f *file) bool {
		return slices.ContainsFunc(f.survey.About, func(text string) bool { return c.speaksOfSlot(text, w) })
	})
	m.rule("the only one that fits the slot's schema and runner", c.passes)
	m.rest("the only stream descriptor left for it")
	return m.wants
}

// serves tells whether a descriptor can be that of a slot, by its transport
// and by its name.
func (c *choices) serves(f *file, slot int) bool {
	if sideOf(slot) == inputs && !f.survey.Inputs || sideOf(slot) == outputs && !f.survey.Outputs {
		return false
	}
	if s := sideIn(f.stem()); s != either && s != sideOf(slot) {
		return false
	}
	if slotIn(f.stem(), slot) {
		return true
	}
	for _, other := range c.model.model.Slots {
		if slotIn(f.stem(), other.Number) {
			return false
		}
	}
	return true
}

// speaksOfSlot tells whether a text speaks of the slot's schema, by the name
// it has in the model, as a file or in Avro.
func (c *choices) speaksOfSlot(text string, w *want) bool {
	if w.name == "" {
		return false
	}
	names := []string{w.name}
	for _, s := range c.schemas {
		if s.name == w.name && s.chosen != nil {
			names = append(names, s.chosen.stem(), typeName(s.chosen))
		}
	}
	return slices.ContainsFunc(names, func(name string) bool { return speaksOf(text, name) })
}
