// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// namedByModel are the schema names of the model's annotations, by slot.
func (c *choices) namedByModel() []*want {
	var wants []*want
	for _, s := range c.model.model.Slots {
		if s.Schema == "" {
			continue
		}
		i := slices.IndexFunc(wants, func(w *want) bool { return w.name == s.Schema })
		if i < 0 {
			i = len(wants)
			wants = append(wants, &want{name: s.Schema, from: fmt.Sprintf("%s:%d", c.model.name, s.Line)})
		}
		wants[i].slots = append(wants[i].slots, s.Number)
	}
	return wants
}

// namedByStreams are the names that only the chosen streams refer to.
func (c *choices) namedByStreams() []*want {
	var wants []*want
	for _, w := range c.streams {
		if w.chosen == nil || w.chosen.survey.Ref == "" {
			continue
		}
		named := func(o *want) bool { return o.name == w.chosen.survey.Ref }
		if slices.ContainsFunc(c.schemas, named) {
			continue
		}
		i := slices.IndexFunc(wants, named)
		if i < 0 {
			i = len(wants)
			wants = append(wants, &want{name: w.chosen.survey.Ref, from: w.chosen.name})
		}
		wants[i].slots = append(wants[i].slots, w.slots...)
	}
	return wants
}

// validName is the names that SCHEMAS can carry.
var validName = lazyregexp.New(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)

// matchSchemas finds the files of schema names.
func (c *choices) matchSchemas(wants []*want) []*want {
	m := &matcher{wants: wants}
	for _, w := range wants {
		if validName().MatchString(w.name) {
			w.set = slices.DeleteFunc(slices.Clone(c.findings.schemas), c.used)
		}
	}
	m.rule("the file has its name", func(w *want, f *file) bool { return f.stem() == w.name })
	m.rule("the file has its name but for case and separators", func(w *want, f *file) bool { return alike(f.stem(), w.name) })
	m.rule("its Avro type has that name", func(w *want, f *file) bool { return alike(typeName(f), w.name) })
	m.rule("the file names the slot", func(w *want, f *file) bool { return slotIn(f.stem(), w.slot()) })
	m.rule("the file is named for that side", func(w *want, f *file) bool { return w.side() != either && sideIn(f.stem()) == w.side() })
	m.exclude(func(w *want, f *file) bool {
		s := sideIn(f.stem())
		return s != either && w.side() != either && s != w.side()
	})
	m.rest("the only schema left")
	return wants
}

// typeName is a schema's name without its namespace.
func typeName(f *file) string {
	return strings.TrimPrefix(path.Ext("."+f.survey.Name), ".")
}
