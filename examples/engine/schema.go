// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hamba/avro/v2"
)

// schemas loads the bindings of SCHEMAS, sorted by name.
func (in *inspection) schemas(value string) []Schema {
	schemas := []Schema{}
	for _, b := range in.bindings("SCHEMAS", value, namePattern, "name") {
		file, content := in.read(b.where, b.path)
		s := Schema{File: file, Name: b.key}
		if content != nil {
			parsed, err := parseSchema(content)
			if err != nil {
				in.problem(b.where, "%s: %v", b.path, err)
			} else {
				s.Type = string(parsed.Type())
				if named, ok := parsed.(avro.NamedSchema); ok {
					s.FullName = named.FullName()
				}
			}
		}
		schemas = append(schemas, s)
	}
	slices.SortFunc(schemas, func(a, b Schema) int { return strings.Compare(a.Name, b.Name) })
	return schemas
}

// parseSchema reads one self-contained Avro document. The cache is its own,
// because names that one file declares are not visible in another; and the
// JSON is checked first, because the parser takes a bare word for a type name.
func parseSchema(doc []byte) (avro.Schema, error) {
	if !utf8.Valid(doc) || !json.Valid(doc) {
		return nil, errors.New("not a JSON document in UTF-8")
	}
	return avro.ParseBytesWithCache(doc, "", &avro.SchemaCache{})
}
