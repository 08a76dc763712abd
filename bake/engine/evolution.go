// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"errors"
	"fmt"
	"strings"
)

// A SchemaConflict is the first place where data that was written with one
// schema cannot be read with another.
type SchemaConflict struct {
	// Path leads to the place: the names of fields, joined by dots, with "[]"
	// for the items of an array and "{}" for the values of a map. It is empty
	// for the schemas as a whole.
	Path   string
	Reader string // what the reader's schema has there
	Writer string // what the writer's schema has there
	// Severity is Error, or Warning for what the engine reads and other
	// implementations of Avro refuse: names of types that differ, and bytes in
	// place of a string.
	Severity Severity
}

// ResolveSchemas tells whether data written with the schema writer can be read
// with the schema reader, both Avro schema files: by Avro's schema resolution
// with the engine's own rules (section 3.2 of the contract). It returns nil
// where all can be read. The error says which of the two is not a schema, or
// that they are too large to be compared.
func ResolveSchemas(reader, writer []byte) (*SchemaConflict, error) {
	r, err := parseSchemaFile(reader)
	if err != nil {
		return nil, fmt.Errorf("the reader's schema: %w", err)
	}
	w, err := parseSchemaFile(writer)
	if err != nil {
		return nil, fmt.Errorf("the writer's schema: %w", err)
	}
	resolution := resolution{known: make(map[[2]*schema]*mismatch)}
	m := resolution.resolve(r, w)
	switch {
	case resolution.pairs > maxPairs:
		return nil, errors.New("there is too much to compare")
	case m == nil:
		return nil, nil
	}
	path := strings.ReplaceAll(strings.ReplaceAll(strings.Join(m.path, "."), ".[]", "[]"), ".{}", "{}")
	return &SchemaConflict{Path: printable(path), Reader: printable(m.reader), Writer: printable(m.writer), Severity: m.severity}, nil
}

// parseSchemaFile is the schema in a file; the error is its first one.
func parseSchemaFile(content []byte) (*schema, error) {
	p := newPage("")
	if s := checkSchemaFile(p, content); s != nil {
		return s, nil
	}
	for _, f := range p.findings() {
		if f.Severity == Error {
			return nil, errors.New(f.Message)
		}
	}
	return nil, errors.New("is no Avro schema")
}
