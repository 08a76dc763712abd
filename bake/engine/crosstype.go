// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
)

// typeState is what is known of a slot's type.
type typeState int

const (
	unknownType typeState = iota // there are errors in the way
	untyped
	typed
)

// slotType is the type of one side of a slot.
type slotType struct {
	state  typeState
	schema *schema
	origin string // where it comes from
}

// modelType is the model's side of a slot.
func (c *checker) modelType(n int) slotType {
	if !c.modelOK {
		return slotType{}
	}
	if c.model.runner.name == "PFA" || c.model.runner.name == "PrettyPFA" {
		s := c.model.input
		if n == 1 {
			s = c.model.output
		}
		if s == nil || n > 1 {
			return slotType{}
		}
		return slotType{typed, s, c.model.name}
	}
	u, ok := c.model.slots.inUse[slot{number: n}]
	switch {
	case !ok || u.schema.value == "":
		return slotType{state: untyped}
	case u.inline != nil:
		return slotType{typed, u.inline, c.model.name}
	}
	return c.namedType(u.schema.value)
}

// namedType is the type that SCHEMAS binds to a name.
func (c *checker) namedType(name string) slotType {
	s := c.schemas[name]
	if s == nil || s.typ == nil {
		return slotType{}
	}
	return slotType{typed, s.typ, fmt.Sprintf("schema %q from %s", name, s.file)}
}

// streamType is the stream's side of a slot, after inheritance.
func (c *checker) streamType(n int, s *boundStream) slotType {
	switch s.form {
	case inheritSchema:
		return c.modelType(n)
	case untypedSchema:
		return slotType{state: untyped}
	case refSchema:
		return c.namedType(s.ref)
	case inlineSchema:
		return slotType{typed, s.schema, s.name}
	}
	return slotType{}
}

// checkTypes is for one stream.
func (c *checker) checkTypes(n int, s *boundStream) {
	model, stream := c.modelType(n), c.streamType(n, s)
	if s.form != inheritSchema && model.state == typed && stream.state == typed {
		c.checkAccepted(n, s, model, stream)
	}
	if s.transport.opaque {
		return
	}
	if s.form == inheritSchema || s.form == refSchema {
		c.checkEffective(n, s, stream)
	}
	if n%2 == 0 && stream.state == untyped && model.state == typed && s.form == untypedSchema {
		c.checkRaw(n, s, model)
	}
	c.checkRunnerEncoding(n, s)
	c.checkLineEnds(n, s)
}

// checkAccepted is X-07 for inputs and X-08 for outputs.
func (c *checker) checkAccepted(n int, s *boundStream, model, stream slotType) {
	var f Finding
	if n%2 == 0 {
		m := accepts(model.schema, stream.schema)
		if m == nil {
			return
		}
		f = x07.says("slot %d: %sstream has %s, model wants %s", n, m.place(), m.writer, m.reader)
		f = f.as(m.severity)
	} else {
		m := accepts(stream.schema, model.schema)
		if m == nil {
			return
		}
		f = x08.says("slot %d: %sstream wants %s, model has %s", n, m.place(), m.reader, m.writer)
		f = f.as(m.severity)
	}
	c.addAt(s, "Schema", f.hint("the stream's type is %s, the model's is %s", stream.origin, model.origin))
}

// checkEffective is X-09: the encoding against a schema that the stream
// inherits or refers to.
func (c *checker) checkEffective(n int, s *boundStream, stream slotType) {
	if stream.state == unknownType {
		return
	}
	say := func(hint, format string, args ...any) {
		c.addAt(s, "Encoding", x09.says("slot %d: "+format, append([]any{n}, args...)...).hint("%s", hint))
	}
	how := "inherited"
	if s.form == refSchema {
		how = "referenced"
	}
	if stream.state == untyped {
		if s.encoding == "avro-binary" {
			say(`give the stream a "Schema", or the model an annotation`, "avro-binary needs a schema, and the model has none")
		}
		return
	}
	kind := stream.schema.kind
	switch {
	case s.encoding == "" && kind != "bytes":
		said := "Encoding is null"
		if !s.root.Get("Encoding").Exists() {
			said = "Encoding is missing (null)"
		}
		say(`add "Encoding": "json"`, "%s but the %s schema is %s", said, how, stream.schema)
	case s.encoding == "utf-8" && kind != "string":
		say(`use "Encoding": "json"`, "Encoding utf-8 delivers strings but the %s schema is %s", how, stream.schema)
	case s.encoding == "csv" && kind != "record":
		say("use a record schema, or another encoding", "csv needs a record but the %s schema is %s", how, stream.schema)
	case s.encoding == "soap-rpc":
		say(`set "Schema": null`, "soap-rpc cannot use the %s schema", how)
	}
}

// checkRaw is X-10.
func (c *checker) checkRaw(n int, s *boundStream, model slotType) {
	raw := map[string]string{"": "bytes", "utf-8": "string"}[s.encoding]
	if raw == "" {
		return
	}
	if m := accepts(model.schema, &schema{kind: raw}); m != nil && m.severity == Error {
		what := "raw bytes"
		if raw == "string" {
			what = "untyped strings"
		}
		c.addAt(s, "Encoding", x10.says("slot %d delivers %s but the model expects %s", n, what, model.schema).hint(`add "Encoding": "json"`))
	}
}

// checkRunnerEncoding is X-11.
func (c *checker) checkRunnerEncoding(n int, s *boundStream) {
	if !c.modelOK {
		return
	}
	allowed, side := c.model.runner.inputs, "input"
	if n%2 == 1 {
		allowed, side = c.model.runner.outputs, "output"
	}
	if allowed == nil || slices.Contains(allowed, s.encoding) {
		return
	}
	var names []string
	for _, e := range allowed {
		if e == "" {
			names = append(names, "null")
		} else {
			names = append(names, quote(e))
		}
	}
	encoding := "null"
	if s.encoding != "" {
		encoding = quote(s.encoding)
	}
	c.addAt(s, "Encoding", x11.says("%s models cannot use the encoding %s on %s slot %d", c.model.runner.name, encoding, side, n).
		hint("use %s", strings.Join(names, ", ")))
}
