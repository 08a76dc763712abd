// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/hamba/avro/v2"
)

// verify asks Avro's own parser about the type, without documentation,
// defaults and wrappers, which it judges otherwise than engines do. Each call
// has its own cache: the default one leaks names from file to file.
func (s *schema) verify() error {
	w := &avroWriter{aliases: make(map[string]string)}
	w.write(s)
	_, err := avro.ParseBytesWithCache(w.out.Bytes(), "", &avro.SchemaCache{})
	return err
}

// avroWriter writes a type in its shortest form. Its names stand for the full
// names of the document, so that no namespace has to be found again.
type avroWriter struct {
	out     bytes.Buffer
	aliases map[string]string // by full name
}

func (w *avroWriter) write(s *schema) {
	alias, declared := w.aliases[s.name]
	switch {
	case isPrimitive(s.kind):
		fmt.Fprintf(&w.out, "%q", s.kind)
		return
	case s.kind == "union":
		w.list(len(s.branches), func(i int) { w.write(s.branches[i]) })
		return
	case declared:
		fmt.Fprintf(&w.out, "%q", alias)
		return
	}
	fmt.Fprintf(&w.out, `{"type":%q`, s.kind)
	if s.name != "" {
		alias = "T" + strconv.Itoa(len(w.aliases))
		w.aliases[s.name] = alias
		fmt.Fprintf(&w.out, `,"name":%q`, alias)
	}
	switch s.kind {
	case "record":
		w.out.WriteString(`,"fields":`)
		w.list(len(s.fields), func(i int) {
			fmt.Fprintf(&w.out, `{"name":%q,"type":`, s.fields[i].name)
			w.write(s.fields[i].typ)
			w.out.WriteByte('}')
		})
	case "enum":
		w.out.WriteString(`,"symbols":`)
		w.list(len(s.symbols), func(i int) { fmt.Fprintf(&w.out, "%q", s.symbols[i]) })
	case "fixed":
		fmt.Fprintf(&w.out, `,"size":%d`, s.size)
	case "array":
		w.out.WriteString(`,"items":`)
		w.write(s.element)
	case "map":
		w.out.WriteString(`,"values":`)
		w.write(s.element)
	}
	w.out.WriteByte('}')
}

// list writes an array of n elements.
func (w *avroWriter) list(n int, element func(i int)) {
	w.out.WriteByte('[')
	for i := range n {
		if i > 0 {
			w.out.WriteByte(',')
		}
		element(i)
	}
	w.out.WriteByte(']')
}
