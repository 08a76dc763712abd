// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine"
)

func TestResolveSchemas(t *testing.T) {
	const nested = `{"type": "record", "name": "R", "fields": [{"name": "rows", "type": {"type": "array", "items": {"type": "map", "values":
		{"type": "record", "name": "Row", "fields": [{"name": "y", "type": "TYPE"}]}}}}]}`
	for _, tc := range []struct {
		name, reader, writer string
		want                 *engine.SchemaConflict
	}{
		{"the same", `"double"`, `"double"`, nil},
		{"promoted", `"double"`, `"int"`, nil},
		{"not promoted", `"int"`, `"double"`, &engine.SchemaConflict{Reader: "int", Writer: "double", Severity: engine.Error}},
		{"a place", strings.Replace(nested, "TYPE", "int", 1), strings.Replace(nested, "TYPE", "string", 1), &engine.SchemaConflict{
			Path: "rows[]{}.y", Reader: "int", Writer: "string", Severity: engine.Error,
		}},
		{"a warning", `"string"`, `"bytes"`, &engine.SchemaConflict{Reader: "string", Writer: "bytes", Severity: engine.Warning}},
		{"a new field", `{"type": "record", "name": "R", "fields": [{"name": "x", "type": "int"}]}`, `{"type": "record", "name": "R", "fields": []}`, &engine.SchemaConflict{
			Path: "x", Reader: "int", Writer: "no such field", Severity: engine.Error,
		}},
		{"a new field with a default", `{"type": "record", "name": "R", "fields": [{"name": "x", "type": "int", "default": 1}]}`, `{"type": "record", "name": "R", "fields": []}`, nil},
	} {
		got, err := engine.ResolveSchemas([]byte(tc.reader), []byte(tc.writer))
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tc.name, err, diff)
		}
	}
	for _, tc := range []struct{ reader, writer, says string }{
		{`"dubble"`, `"int"`, `the reader's schema: type "dubble" is undefined`},
		{`"int"`, `{`, "the writer's schema: "},
		{`"int"`, ``, "the writer's schema: "},
	} {
		if _, err := engine.ResolveSchemas([]byte(tc.reader), []byte(tc.writer)); err == nil || !strings.HasPrefix(err.Error(), tc.says) {
			t.Errorf("got %v, want %s", err, tc.says)
		}
	}
}
