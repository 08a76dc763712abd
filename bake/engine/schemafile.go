// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// maxValues is how many keys and values a schema or a stream descriptor may
// have: more than ten thousand fields.
const maxValues = 100_000

// checkSchemaFile is the S rules. It returns nil if the schema is wrong.
func checkSchemaFile(p *page, content []byte) *schema {
	doc, err := jsonpos.Parse(content, maxValues)
	if err != nil {
		hint := "a schema is one JSON document"
		if word := bytes.TrimSpace(content); len(word) < 10 && isPrimitive(string(word)) {
			hint = "quote the type: " + quote(string(word))
		}
		p.say(err, s01.says("not JSON").hint("%s", hint))
		return nil
	}
	root := doc.Root()
	if what := otherThanSchema(root); what != "" {
		p.at(root, s13.says("the file is %s, not an Avro schema", what).hint("bind a schema file, or leave the binding out"))
		return nil
	}
	return parseAvro(root, quote, func(at jsonpos.Value, f Finding) { p.at(at, f) })
}

// otherThanSchema tells what a JSON object is that was bound as a schema.
func otherThanSchema(root jsonpos.Value) string {
	if root.Get("type").Exists() {
		return ""
	}
	switch {
	case root.Get("Transport").Exists():
		return "a stream descriptor"
	case root.Get("action").Exists() && (root.Get("input").Exists() || root.Get("output").Exists()):
		return "a PFA model"
	case root.Get("cells").Exists() && root.Get("nbformat").Exists():
		return "a notebook"
	}
	return ""
}
