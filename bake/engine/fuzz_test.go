// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/hamba/avro/v2"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// sound checks what must hold of any findings about any bytes.
func sound(t *testing.T, b bakery) []engine.Finding {
	t.Helper()
	found := b.check()
	for _, f := range found {
		if f.Message == "" || f.Hint == "" && f.Severity > engine.Note {
			t.Errorf("no message or hint: %s", show(f))
		}
		if strings.ContainsFunc(f.Message+f.Hint, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }) {
			t.Errorf("not printable: %q %q", f.Message, f.Hint)
		}
		if len(f.Message)+len(f.Hint) > 4000 {
			t.Errorf("%d bytes of message", len(f.Message))
		}
		text, ok := b.over()[f.File]
		if !ok || f.Line == 0 {
			continue
		}
		lines := strings.Split(text, "\n")
		if f.Line > len(lines) || f.Column < 0 || f.Column > utf8.RuneCountInString(lines[f.Line-1])+1 {
			t.Errorf("%s is outside of the file", show(f))
		}
	}
	return found
}

func FuzzAnnotations(f *testing.F) {
	for _, s := range []string{
		"# fastscore.schema.0: in\n#fastscore.slot.$out:unused\nx = 1 # modelop.action.2: none\n", "# ModelOp Center.schema: {\"type\": \"int\"}\r\n",
		"/* fastscore.input: a */\n// odg.recordsets.$in: both\n", "%{\n% fastscore.slot: in-use\n%}\n", "# modelop.score\ndef f(x, *a, y: int = 3): print >>x, `y`\n",
	} {
		for _, ext := range []string{"py", "py3", "R", "c", "java", "m", "ppfa"} {
			f.Add(ext, s)
		}
	}
	f.Fuzz(func(t *testing.T, ext, source string) {
		if strings.ContainsAny(ext, "/\x00") || len(ext) > 8 || !utf8.ValidString(ext) {
			t.Skip()
		}
		sound(t, bakery{"model." + ext: source})
	})
}

func FuzzDescriptor(f *testing.F) {
	for _, s := range []string{
		`{"Transport": {"Type": "Kafka", "BootstrapServers": ["a:1", "u:p@b"], "Topic": "t", "Group": 1}, "Envelope": {"Type": "ocf-block"}}`,
		`{"Transport": "rest", "Encoding": {"Type": "csv"}, "Schema": {"$ref": "in"}, "Batching": {"Watermark": 0}}`,
		`{"Transport": {"Type": "ODBC", "ConnectionString": "Driver={x};Pwd=y"}, "Schema": ["null", {"type": "array"}], "SkipToRecord": -1}`,
		`{"Transport": {"Type": "HDFS", "Authentication": {"Type": "Kerberos"}}, "Loop": true, "Loop": 1}`, `{"a": [{}, "x`, `[[[`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		sound(t, bakery{"0.json": source, "1.json": source})
	})
}

// What Avro's own parser accepts is an error to us only where the contract, or
// the specification, is stricter; what it refuses is always one.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{
		`"double"`, `{"type": "record", "name": "a.B", "fields": [{"name": "x", "type": ["null", "a.B"], "default": null}]}`,
		`[{"type": "enum", "name": "E", "symbols": ["a", "b"]}, {"type": "map", "values": "E"}]`,
		`{"type": "fixed", "name": "F", "namespace": "n", "size": 4, "aliases": ["G"]}`, `{"type": {"type": "array", "items": "long"}}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		found := sound(t, bakery{"in.avsc": source, "model.py3": "def action(x): yield x\n"})
		if !json.Valid([]byte(source)) || !utf8.ValidString(source) {
			return
		}
		stricter := false // than the other parser
		refused := false
		for _, finding := range errorsOf(found) {
			if finding.File != "in.avsc" {
				continue
			}
			refused = true
			switch finding.Rule {
			case "S-04", "S-06", "S-07", "S-09", "S-13": // names, sizes, empty unions
				stricter = true
			case "S-03":
				stricter = stricter || strings.Contains(finding.Message, "cannot be null") || strings.Contains(finding.Message, "undefined")
			}
		}
		_, err := avro.ParseBytesWithCache([]byte(source), "", &avro.SchemaCache{})
		if err == nil && refused && !stricter {
			t.Errorf("Avro's parser accepts it:\n%s", showAll(found))
		}
	})
}

func FuzzPFA(f *testing.F) {
	for _, s := range []string{
		`{"input": "A", "output": ["null", "B"], "action": [{"type": "record", "name": "A", "fields": [{"name": "b", "type": "B"}]}], "metadata": {"recordsets": "x", "a.0": 1}}`,
		"input: &a {type: array, items: int}\noutput: *a\naction: [*a]\n", "\"{}\"", "input: int\noutput: union(record(A, x: array(B)), null)\naction: 1\ntypes:\n  B = map(int);\n",
	} {
		for _, ext := range []string{"pfa", "json", "yaml", "ppfa"} {
			f.Add(ext, s)
		}
	}
	f.Fuzz(func(t *testing.T, ext, source string) {
		switch ext {
		case "pfa", "json", "yaml", "ppfa":
			b := bakery{"model." + ext: source}
			if ext == "yaml" {
				b.check() // its decoder counts lines in its own way
				return
			}
			sound(t, b)
		}
	})
}

func FuzzNotebook(f *testing.F) {
	for _, s := range []string{
		`{"cells": [{"cell_type": "code", "source": ["# fastscore.schema.0: in\n", "x", "y\n"]}, {"cell_type": "code", "source": "%%bash\na"}]}`,
		`{"worksheets": [{"cells": [{"cell_type": "code", "input": "# fastscore.slot: in-use\ndef action(): pass"}]}]}`, `{"cells": 1}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		sound(t, bakery{"model.ipynb": source})
	})
}

func FuzzArchive(f *testing.F) {
	f.Add("tgz", []byte(tgz(f, member{name: "a/b", content: "x"}, member{name: "l", link: "../x", kind: '2'})))
	f.Add("zip", []byte(zipped(f, member{name: "a/b", content: "x"}, member{name: "l", link: "/x"})))
	f.Add("tar.gz", []byte(gzipped(f, "no tar")))
	f.Fuzz(func(t *testing.T, ext string, data []byte) {
		switch ext {
		case "tgz", "zip", "tar.gz":
			sound(t, bakery{"a." + ext: string(data)})
		}
	})
}
