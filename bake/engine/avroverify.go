// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"encoding/json"
	"strconv"

	"github.com/hamba/avro/v2"
)

// verify asks Avro's own parser about the type, without documentation,
// defaults and wrappers, which it judges otherwise than engines do. Each call
// has its own cache: the default one leaks names from file to file.
func (s *schema) verify() error {
	var b bytes.Buffer
	s.write(&b, make(map[string]bool))
	_, err := avro.ParseBytesWithCache(b.Bytes(), "", &avro.SchemaCache{})
	return err
}

// write writes the type in its shortest form, names in full.
func (s *schema) write(b *bytes.Buffer, seen map[string]bool) {
	switch {
	case isPrimitive(s.kind) || seen[s.name] && s.name != "":
		name := s.name
		if name == "" {
			name = s.kind
		}
		writeString(b, name)
		return
	case s.kind == "union":
		b.WriteByte('[')
		for i, branch := range s.branches {
			if i > 0 {
				b.WriteByte(',')
			}
			branch.write(b, seen)
		}
		b.WriteByte(']')
		return
	}
	b.WriteString(`{"type":`)
	writeString(b, s.kind)
	if s.name != "" {
		seen[s.name] = true
		b.WriteString(`,"name":`)
		writeString(b, s.name)
	}
	switch s.kind {
	case "record":
		b.WriteString(`,"fields":[`)
		for i, f := range s.fields {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(`{"name":`)
			writeString(b, f.name)
			b.WriteString(`,"type":`)
			f.typ.write(b, seen)
			b.WriteByte('}')
		}
		b.WriteByte(']')
	case "enum":
		b.WriteString(`,"symbols":[`)
		for i, symbol := range s.symbols {
			if i > 0 {
				b.WriteByte(',')
			}
			writeString(b, symbol)
		}
		b.WriteByte(']')
	case "fixed":
		b.WriteString(`,"size":` + strconv.FormatInt(s.size, 10))
	case "array":
		b.WriteString(`,"items":`)
		s.element.write(b, seen)
	case "map":
		b.WriteString(`,"values":`)
		s.element.write(b, seen)
	}
	b.WriteByte('}')
}

// writeString writes a name; names that are legal need no escape, but a name
// is written before it is judged.
func writeString(b *bytes.Buffer, s string) {
	if legalNames(s) {
		b.WriteString(`"` + s + `"`)
		return
	}
	text, err := json.Marshal(s)
	if err != nil {
		text = []byte(`""`)
	}
	b.Write(text)
}
