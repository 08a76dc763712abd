// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A SchemaChange is a schema that is bound under one name in both images, with
// other content.
type SchemaChange struct {
	Name      string          `json:"name"`
	Slots     []int           `json:"slots"` // that are known to use it
	Direction SchemaDirection `json:"direction"`
	Verdict   SchemaVerdict   `json:"verdict"`
	Path      string          `json:"path,omitempty"`   // where it breaks, as "rows[].x"; empty for the schema as a whole
	Reason    string          `json:"reason,omitempty"` // what breaks, what other implementations refuse, or why it was not compared
}

// SchemaDirection says who reads data that the other side's schema wrote.
type SchemaDirection string

// The directions.
const (
	// DirectionInput: data written with the schema of A is read with that of B.
	DirectionInput SchemaDirection = "input"
	// DirectionOutput: data written with the schema of B is read with that of A.
	DirectionOutput SchemaDirection = "output"
	// DirectionBoth is both, for a schema of inputs and outputs or of slots that
	// are not known.
	DirectionBoth SchemaDirection = "both"
)

// SchemaVerdict says whether a schema may be replaced while the other side of
// its streams stays.
type SchemaVerdict string

// The verdicts.
const (
	SchemaCompatible  SchemaVerdict = "compatible"
	SchemaBreaking    SchemaVerdict = "breaking"
	SchemaNotCompared SchemaVerdict = "not compared"
)

// schemas judges the schemas that changed.
func (c *comparison) schemas(ctx context.Context) error {
	x, y := c.sides[0].what.schemaFiles(), c.sides[1].what.schemaFiles()
	var changed []string
	for _, name := range slices.Sorted(maps.Keys(x)) {
		if other, both := y[name]; both && x[name].SHA256 != other.SHA256 {
			changed = append(changed, name)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	var contents [2]map[string][]byte
	for i := range c.sides {
		side := &c.sides[i]
		var err error
		if contents[i], err = side.readSmall(ctx, side.img, side.what.Files, RoleModel, RoleStream, RoleSchema); err != nil {
			return &sideError{side.side, err}
		}
		side.what.Slots = slotsOf(side.what, contents[i])
		_, side.modelRead = contents[i][side.what.Bindings.Model]
	}
	for _, name := range changed {
		var texts [2][]byte
		for i, f := range []InspectedFile{x[name], y[name]} {
			text, ok := contents[i][f.Path]
			if sum := sha256.Sum256(text); ok && hex.EncodeToString(sum[:]) != f.SHA256 {
				return &sideError{c.sides[i].side, integrityf("%s is not what the record says", f.Path)}
			}
			texts[i] = text
		}
		c.out.Schemas = append(c.out.Schemas, c.judge(name, texts[0], texts[1]))
	}
	return nil
}

// schemaFiles is the files of the schemas by name.
func (p *InspectedPlatform) schemaFiles() map[string]InspectedFile {
	files := map[string]InspectedFile{}
	for _, f := range p.Files {
		if f.Role == RoleSchema && p.Bindings.Schemas[f.Name] == f.Path {
			files[f.Name] = f
		}
	}
	return files
}

// judge compares a schema with what it was.
func (c *comparison) judge(name string, was, is []byte) SchemaChange {
	s := SchemaChange{Name: name, Slots: []int{}, Verdict: SchemaNotCompared, Direction: DirectionBoth}
	var inputs, outputs bool
	for _, side := range c.sides {
		for _, slot := range side.what.Slots {
			if slot.Schema != name {
				continue
			}
			if !slices.Contains(s.Slots, slot.Number) {
				s.Slots = append(s.Slots, slot.Number)
			}
			inputs, outputs = inputs || slot.Number%2 == 0, outputs || slot.Number%2 == 1
		}
	}
	slices.Sort(s.Slots)
	switch {
	case !c.sides[0].modelRead || !c.sides[1].modelRead: // it may use it elsewhere too
	case inputs && !outputs:
		s.Direction = DirectionInput
	case outputs && !inputs:
		s.Direction = DirectionOutput
	}
	if was == nil || is == nil {
		s.Reason = "it is in a large layer"
		return s
	}
	s.Verdict = SchemaCompatible
	if s.Direction != DirectionOutput {
		s.resolve(is, was, "data has %[2]s, the new schema wants %[1]s")
	}
	if s.Direction != DirectionInput && s.Verdict == SchemaCompatible {
		s.resolve(was, is, "the new schema writes %[2]s, readers with the old one want %[1]s")
	}
	return s
}

// resolve judges one direction. The format takes what the reader and what the
// writer has.
func (s *SchemaChange) resolve(reader, writer []byte, format string) {
	conflict, err := engine.ResolveSchemas(reader, writer)
	switch {
	case err != nil:
		s.Verdict, s.Path, s.Reason = SchemaNotCompared, "", err.Error()
		return
	case conflict == nil:
		return
	case conflict.Severity == engine.Error:
		s.Verdict = SchemaBreaking
	}
	s.Path, s.Reason = conflict.Path, fmt.Sprintf(format, conflict.Reader, conflict.Writer)
}
