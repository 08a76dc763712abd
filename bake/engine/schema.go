// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"
)

// A schema is an Avro type. Recursive records make it a cyclic graph.
type schema struct {
	kind     string // "null" … "string", "record", "enum", "fixed", "array", "map", "union"
	name     string // full name of a record, enum or fixed
	fields   []schemaField
	symbols  []string
	symbol   map[string]bool // the same as a set
	size     int64
	element  *schema // of an array's items or a map's values
	branches []*schema
}

type schemaField struct {
	name       string
	typ        *schema
	hasDefault bool
}

var primitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

func isPrimitive(name string) bool { return slices.Contains(primitives, name) }

// String describes the type in a few words.
func (s *schema) String() string { return s.describe(2) }

func (s *schema) describe(depth int) string {
	switch {
	case s == nil:
		return "an unknown type"
	case legalNames(s.name):
		return s.kind + " " + s.name
	case depth == 0:
		return s.kind
	}
	switch s.kind {
	case "array", "map":
		return s.kind + " of " + s.element.describe(depth-1)
	case "union":
		var names []string
		for i, b := range s.branches {
			if i == 6 {
				names = append(names, "…")
				break
			}
			names = append(names, b.describe(depth-1))
		}
		return "[" + strings.Join(names, ", ") + "]"
	}
	return s.kind
}
