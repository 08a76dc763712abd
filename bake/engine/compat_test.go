// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"strings"
	"testing"
)

// The model reads with one schema what a stream delivers with another.
func TestResolution(t *testing.T) {
	record := func(name string, fields ...string) string {
		for i, f := range fields {
			parts := strings.SplitN(f, " ", 3)
			fields[i] = fmt.Sprintf(`{"name": %q, "type": %s}`, parts[0], parts[1])
			if len(parts) == 3 {
				fields[i] = fmt.Sprintf(`{"name": %q, "type": %s, "default": %s}`, parts[0], parts[1], parts[2])
			}
		}
		return fmt.Sprintf(`{"type": "record", "name": %q, "fields": [%s]}`, name, strings.Join(fields, ", "))
	}
	fixed := func(name string, size int) string {
		return fmt.Sprintf(`{"type": "fixed", "name": %q, "size": %d}`, name, size)
	}
	enum := func(name, symbols string) string {
		return fmt.Sprintf(`{"type": "enum", "name": %q, "symbols": [%s]}`, name, symbols)
	}
	const list = `{"type": "record", "name": "L", "fields": [{"name": "v", "type": "%s"}, {"name": "next", "type": ["null", "L"]}]}`
	for _, tc := range []struct{ name, reader, writer, want string }{
		{"same", `"int"`, `"int"`, ""},
		{"int to long", `"long"`, `"int"`, ""},
		{"int to double", `"double"`, `"int"`, ""},
		{"long to float", `"float"`, `"long"`, ""},
		{"float to double", `"double"`, `"float"`, ""},
		{"long to int", `"int"`, `"long"`, "error slot 0: stream has long, model wants int"},
		{"double to float", `"float"`, `"double"`, "error slot 0: stream has double, model wants float"},
		{"bool to int", `"int"`, `"boolean"`, "error slot 0: stream has boolean, model wants int"},
		{"bytes to string", `"string"`, `"bytes"`, "warning slot 0: stream has bytes, model wants string"},
		{"string to bytes", `"bytes"`, `"string"`, "warning slot 0: stream has string, model wants bytes"},
		{"logical types", `{"type": "int", "logicalType": "date"}`, `"int"`, ""},
		{"arrays", `{"type": "array", "items": "double"}`, `{"type": "array", "items": "int"}`, ""},
		{"array items", `{"type": "array", "items": "int"}`, `{"type": "array", "items": "string"}`, `error slot 0: field "[]": stream has string, model wants int`},
		{"array and map", `{"type": "array", "items": "int"}`, `{"type": "map", "values": "int"}`, "error slot 0: stream has map of int, model wants array of int"},
		{"map values", `{"type": "map", "values": "int"}`, `{"type": "map", "values": "null"}`, `error slot 0: field "{}": stream has null, model wants int`},
		{"wrapped", `{"type": {"type": "array", "items": "int"}}`, `{"type": "array", "items": "int"}`, ""},

		{"extra field", record("R", `a "int"`), record("R", `b "string"`, `a "int"`), ""},
		{"missing field", record("R", `a "int"`), record("R"), `error slot 0: field "a": stream has no such field, model wants int`},
		{"missing with default", record("R", `a "int" 1`), record("R"), ""},
		{"default covers no mismatch", record("R", `a "int" 1`), record("R", `a "string"`), `error slot 0: field "a": stream has string, model wants int`},
		{"names", record("R", `a "int"`), record("S", `a "int"`), "warning slot 0: stream has record S, model wants record R"},
		{"an error counts before a name", record("R", `a `+strings.ReplaceAll(record("X"), " ", ""), `b "int"`), record("S", `a `+strings.ReplaceAll(record("Y"), " ", ""), `b "string"`), `error slot 0: field "b": stream has string, model wants int`},
		{"recursive", fmt.Sprintf(list, "double"), fmt.Sprintf(list, "int"), ""},
		{"recursive mismatch", fmt.Sprintf(list, "int"), fmt.Sprintf(list, "string"), `error slot 0: field "v": stream has string, model wants int`},

		{"enum subset", enum("E", `"a", "b"`), enum("E", `"b"`), ""},
		{"enum superset", enum("E", `"a"`), enum("E", `"a", "b"`), `error slot 0: stream has enum E, model wants enum E without symbol "b"`},
		{"enum names", enum("E", `"a"`), enum("F", `"a"`), "warning slot 0: stream has enum F, model wants enum E"},
		{"fixed", fixed("F", 4), fixed("G", 4), ""},
		{"fixed size", fixed("F", 4), fixed("F", 8), "error slot 0: stream has fixed F of 8 bytes, model wants fixed F of 4 bytes"},

		{"into union", `["null", "double"]`, `"int"`, ""},
		{"into no branch", `["null", "int"]`, `"string"`, "error slot 0: stream has string, model wants [null, int]"},
		{"into the branch that was meant", `["null", ` + record("R", `a "int"`) + `]`, record("R", `a "string"`), `error slot 0: field "a": stream has string, model wants int`},
		{"out of union", `"double"`, `["int", "long"]`, ""},
		{"out of union, one branch not", `"double"`, `["null", "double"]`, "error slot 0: stream has null, model wants double"},
		{"union to union", `["null", "double", "string"]`, `["int", "null"]`, ""},
		{"union to smaller union", `["null", "int"]`, `["null", "string"]`, "error slot 0: stream has string, model wants [null, int]"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			found := bakery{"in.avsc": tc.reader, "s.avsc": tc.writer, "0.json": `{"Transport": "REST", "Encoding": "json", "Schema": {"$ref": "s"}}`}.check()
			got := ""
			for _, f := range found {
				if f.Rule == "X-07" {
					got = f.Severity.String() + " " + f.Message
				}
			}
			if got != tc.want {
				t.Errorf("got  %s\nwant %s\n%s", got, tc.want, showAll(found))
			}
		})
	}
}
