// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// checkTogether is the X rules.
func (c *checker) checkTogether() {
	c.sayLeftOut()
	c.checkSchemaNames()
	c.checkSlots()
	c.checkUnusedSchemas()
	for _, n := range slices.Sorted(maps.Keys(c.streams)) {
		if c.streams[n].ok {
			c.checkTypes(n, c.streams[n])
		}
	}
	c.checkUntyped()
	c.checkPaths()
	c.checkTargets()
	c.checkReferences()
	c.checkOpened()
	c.checkKafkaFiles()
	c.checkOffsets()
	c.checkEmitted()
	c.checkFlavour()
}

// sayLeftOut is X-00: which files keep checks from being made.
func (c *checker) sayLeftOut() {
	var names []string
	for _, p := range c.bound() {
		for _, role := range []ruleID{m04, s01, sd01, a02} {
			if l := c.loaded[part{role, p}]; l != nil && l.failed && !slices.Contains(names, l.name) {
				names = append(names, l.name)
			}
		}
	}
	if len(names) > 0 {
		c.add(x00.says("checks across files that need %s were left out: there are errors in it", strings.Join(names, ", ")).
			hint("correct the errors and check again"))
	}
}

// checkSchemaNames is.
func (c *checker) checkSchemaNames() {
	if c.broken(varSchemas) {
		return
	}
	bound := slices.Sorted(maps.Keys(c.schemas))
	have := "no schema is bound"
	if len(bound) > 0 {
		have = "bound names: " + strings.Join(bound[:min(len(bound), 20)], ", ")
	}
	hint := func(name string) string {
		if better := nearest(name, bound); better != "" {
			return fmt.Sprintf("did you mean %q? %s", better, have)
		}
		if !isWord(name) {
			name = "NAME"
		}
		return fmt.Sprintf("bind it with --schema %s=FILE; %s", name, have)
	}
	if c.modelOK {
		for _, s := range c.model.slots.sorted() {
			a := c.model.slots.inUse[s].schema
			if a.value == "" || isInline(a.value) || c.schemas[a.value] != nil {
				continue
			}
			f := x01.says("schema %s for slot %s is not bound", quote(a.value), s).hint("%s", hint(a.value)).in(c.model.name)
			f.Line = c.model.fileLine(a.line)
			c.add(f)
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.streams)) {
		s := c.streams[n]
		if s.ok && s.form == refSchema && c.schemas[s.ref] == nil {
			c.addAt(s, "Schema", x02.says("slot %d stream: schema %s is not bound", n, echo(s.ref)).hint("%s", hint(s.ref)))
		}
	}
}

// addAt reports f where a top-level member of a stream descriptor stands.
func (c *checker) addAt(s *boundStream, member string, f Finding) {
	v := s.root.Get(member)
	if !v.Exists() {
		v = s.root.Get("Transport")
	}
	f.File = s.name
	f.Line, f.Column = v.Position()
	c.add(f)
}

// checkSlots is.
func (c *checker) checkSlots() {
	if !c.modelOK {
		return
	}
	inUse := c.model.slots.inUse
	for _, s := range c.model.slots.sorted() {
		if s.name != "" {
			c.add(x03.says("the model uses slot %q, but streams can only be bound to numbered slots", s.name).in(c.model.name).
				hint("use a slot number (even = input, odd = output)"))
			continue
		}
		if _, ok := c.bindings.Streams[s.number]; !ok && !c.broken(varStreams) {
			verb := "writes"
			if s.isInput() {
				verb = "reads"
			}
			c.add(x03.says("the model %s slot %d but %s", verb, s.number, c.boundSlots()).in(c.model.name).
				hint("bind a stream to slot %d, or say # fastscore.slot.%d: unused", s.number, s.number))
		}
	}
	for _, n := range slices.Sorted(maps.Keys(c.bindings.Streams)) {
		if _, ok := inUse[slot{number: n}]; !ok {
			c.add(x04.says("slot %d has a stream but the model does not use it", n).of(varStreams).
				hint("remove the stream, or say # fastscore.slot.%d: in-use", n))
		}
	}
	outputs := slices.ContainsFunc(c.model.slots.sorted(), slot.isOutput)
	switch {
	case len(inUse) == 0:
		c.add(x05.says("the model uses no slot").in(c.model.name).hint("remove an annotation slot: unused"))
	case len(c.model.slots.inputs()) == 0:
		c.add(x05.says("the model reads nothing: every input slot is unused").in(c.model.name).hint("remove an annotation slot: unused"))
	case !outputs:
		c.add(x05.says("the model writes nothing: every output slot is unused").in(c.model.name).as(Note))
	}
}

func (c *checker) boundSlots() string {
	var numbers []string
	for _, n := range slices.Sorted(maps.Keys(c.bindings.Streams)) {
		numbers = append(numbers, fmt.Sprint(n))
	}
	if len(numbers) == 0 {
		return "STREAMS binds none"
	}
	return "STREAMS binds only " + strings.Join(numbers[:min(len(numbers), 12)], ", ")
}

// checkUnusedSchemas is X-06.
func (c *checker) checkUnusedSchemas() {
	if !c.modelOK {
		return
	}
	used := make(map[string]bool)
	for _, name := range c.model.slots.mentioned {
		used[name] = true
	}
	for _, s := range c.streams {
		if !s.ok {
			return
		}
		used[s.ref] = true
	}
	for _, name := range slices.Sorted(maps.Keys(c.schemas)) {
		if !used[name] {
			c.add(x06.says("schema %s is bound but never used", quote(name)).of(varSchemas).
				hint("name it in the model, # fastscore.schema.SLOT: %s, or leave it out", name))
		}
	}
}

// checkUntyped is X-15.
func (c *checker) checkUntyped() {
	if !c.modelOK {
		return
	}
	for _, s := range c.model.slots.sorted() {
		stream := c.streams[s.number]
		if s.name != "" || stream == nil || !stream.ok || stream.transport.opaque {
			continue
		}
		if c.modelType(s.number).state == untyped && c.streamType(s.number, stream).state == untyped {
			c.add(x15.says("slot %d is untyped: records are not checked", s.number).in(c.model.name).
				hint("bind a schema and say # fastscore.schema.%d: NAME", s.number))
		}
	}
}

// checkEmitted is X-21.
func (c *checker) checkEmitted() {
	if !c.modelOK || path.Ext(c.bindings.Model) != ".R" {
		return
	}
	for _, s := range c.model.slots.sorted() {
		t := c.modelType(s.number)
		if !s.isOutput() || !c.model.slots.inUse[s].recordsets || t.state != typed {
			continue
		}
		switch t.schema.kind {
		case "record", "array", "map", "union":
		default:
			c.add(x21.says("slot %d: R cannot emit record sets of %s", s.number, t.schema).in(c.model.name).
				hint("emit records, or say # fastscore.recordsets.%d: false", s.number))
		}
	}
}

// checkFlavour is X-22.
func (c *checker) checkFlavour() {
	repository, tag := splitReference(c.img.Base)
	if c.model == nil || c.model.runner.ubuntu || !strings.Contains(strings.ToLower(repository+":"+tag), "ubuntu") {
		return
	}
	c.add(x22.says("the Ubuntu engine has no %s runner", c.model.runner.name).in(c.model.name).
		hint("use an Alpine engine, or a model in R or Python 3"))
}
