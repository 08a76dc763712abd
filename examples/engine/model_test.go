// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestModel(t *testing.T) {
	tests := []struct {
		name    string
		file    string
		source  string
		runner  string
		slots   []string
		schemas map[string]string
		want    []string // problems of MODEL
	}{
		{
			name: "no annotations", file: "m.py", source: "def action(x): yield x\n",
			runner: "python", slots: []string{"0", "1"}, schemas: map[string]string{},
		},
		{
			name: "prefixes, spaces and line ends", file: "m.R",
			source: "#fastscore.schema.0:a\r\n  ## ModelOp.schema.1 : b \r\n# ODG.schema.3: c\n",
			runner: "R", slots: []string{"0", "1", "3"}, schemas: map[string]string{"0": "a", "1": "b", "3": "c"},
		},
		{
			name: "lines that only look like annotations", file: "m.py3",
			source: "# fastscore.schema.0 a\nx = 1 # fastscore.schema.0: a\n# fastscore.schema.0: a b\n" +
				"# ModelOp Center.schema.0: a\n// fastscore.schema.0: a\n# modelop.score\n",
			runner: "python3", slots: []string{"0", "1"}, schemas: map[string]string{},
		},
		{
			name: "deprecated tags", file: "m.c", source: "/// fastscore.input: a\n// fastscore.output: b\n/ fastscore.input: c\n",
			runner: "c", slots: []string{"0", "1"}, schemas: map[string]string{"0": "a", "1": "b"},
		},
		{
			name: "groups, and the last annotation wins", file: "m.m",
			source: "% fastscore.recordsets.2: yes\n# fastscore.schema: a\n% fastscore.schema.$out: b\n% fastscore.schema.2: c\n% fastscore.schema.$in: d\n",
			runner: "octave", slots: []string{"0", "1", "2"}, schemas: map[string]string{"0": "d", "1": "b", "2": "d"},
		},
		{
			name: "unused drops earlier mentions only", file: "m.py3",
			source: "# fastscore.schema.0: a\n# fastscore.schema.1: b\n# fastscore.slot.$all: unused\n# fastscore.slot.0: in-use\n# fastscore.schema.10: c\n# fastscore.slot.log: in-use\n# fastscore.slot.9: in-use\n",
			runner: "python3", slots: []string{"0", "9", "10", "log"}, schemas: map[string]string{"10": "c"},
			want: []string{},
		},
		{
			name: "faults", file: "m.py3",
			source: "# fastscore.slot.$in: in-use\n# fastscore.slot.1: off\n# fastscore.schema.$output: a\n# fastscore.schema.0: {\"type\": \"nope\"}\n",
			runner: "python3", slots: []string{"0", "1"}, schemas: map[string]string{"0": `{"type": "nope"}`},
			want: []string{
				"MODEL: /m.py3: schema.$output: the scope is no slot and none of $all, $in, $out",
				"MODEL: /m.py3: slot.$in: in-use needs a single slot",
				"MODEL: /m.py3: slot.1: the value is neither in-use nor unused",
				"MODEL: /m.py3: inline schema: avro: unknown type: nope",
			},
		},
		{
			name: "inline schema", file: "m.py3", source: "# fastscore.schema.0: {\"type\": \"int\"}\n# fastscore.snapshots: eof\n",
			runner: "python3", slots: []string{"0", "1"}, schemas: map[string]string{"0": `{"type": "int"}`},
		},
		{
			name: "PFA has no annotations", file: "m.pfa", source: `{"input": "int", "output": "int", "action": ["input"]}`,
			runner: "pfa-json", slots: []string{"0", "1"}, schemas: map[string]string{},
		},
		{
			name: "notebook", file: "m.ipynb",
			source: `{"cells": [{"cell_type": "markdown", "source": ["# fastscore.slot.1: unused"]},
				{"cell_type": "code", "source": ["# fastscore.schema.0: a\n", "# fastscore.schema.1: b"]},
				{"cell_type": "code", "source": "# fastscore.slot.2: in-use\n"}]}`,
			runner: "jupyter", slots: []string{"0", "1", "2"}, schemas: map[string]string{"0": "a", "1": "b"},
		},
		{
			name: "notebook that is none", file: "m.ipynb", source: "{}}", runner: "jupyter", schemas: map[string]string{},
			want: []string{"MODEL: /m.ipynb: reading the notebook: invalid character '}' after top-level value"},
		},
		{
			name: "unknown extension", file: "m.r", source: "x", schemas: map[string]string{},
			want: []string{`MODEL: /m.r: no runner for the extension ".r"`},
		},
		{
			name: "not UTF-8", file: "m.py", source: "\xff\xfe", runner: "python", schemas: map[string]string{},
			want: []string{"MODEL: /m.py: not a text in UTF-8"},
		},
		{
			name: "NUL", file: "m.py", source: "x\x00", runner: "python", schemas: map[string]string{},
			want: []string{"MODEL: /m.py: not a text in UTF-8"},
		},
		{
			name: "blank", file: "m.py", source: " \n\n", runner: "python", schemas: map[string]string{},
			want: []string{"MODEL: /m.py: blank file"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := &inspection{fsys: fstest.MapFS{test.file: text(test.source)}}
			got := in.model("/" + test.file)
			want := &Model{
				File:   plainFile("/"+test.file, test.source),
				Runner: test.runner, Schemas: test.schemas, Slots: test.slots,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("model (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(append([]string{}, test.want...), append([]string{}, in.problems...), sorted); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// sorted compares lists of problems without regard to their order.
var sorted = cmp.Transformer("sorted", func(list []string) map[string]int {
	counts := map[string]int{}
	for _, s := range list {
		counts[s]++
	}
	return counts
})
