// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile"
)

const (
	slotHint   = " [even slots are inputs, odd slots are outputs]"
	scalarHint = ` [give it a value ("" is an empty one), or remove it]`
	keysHint   = " [keys: base, tags, model, schemas, streams, attachments, unpack, assets, copies, directories, connectPrefix," +
		" assetsDir, env, labels, annotations, user, workdir, entrypoint, cmd, stopSignal, ports, volumes, platforms, compression," +
		" layers, created, mediaTypes, allow, profiles, defaults, bakes]"
)

type problemTest struct {
	name, data string
	want       []string
}

func runProblemTests(t *testing.T, tests []problemTest) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bakes, err := bakefile.Parse([]byte(tt.data), "b.yaml", bakefile.Options{})
			if bakes != nil {
				t.Errorf("bakes beside an error: %+v", bakes)
			}
			got := strings.Split(strings.TrimSuffix(report(t, err, "b.yaml"), "\n"), "\n")
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	err := &bakefile.Error{File: "a/b.yaml", Problems: []bakefile.Problem{
		{Message: "whole file", Hint: "not shown"},
		{Line: 3, Message: "whole line"},
		{Line: 3, Column: 7, Message: "place"},
	}}
	want := "a/b.yaml: whole file\na/b.yaml:3: whole line\na/b.yaml:3:7: place"
	if got := err.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKeyProblems(t *testing.T) {
	runProblemTests(t, []problemTest{
		{"all at once, in file order", "tags: x\nmodel: m\nlayers: y\nenv: [z]\nq: 1\n", []string{
			"1:7: tags is a scalar; want a list",
			`3:9: layers "y": want auto, class or single`,
			"4:6: env is a list; want a mapping",
			`5:1: unknown key "q"` + keysHint,
		}},
		{"misspelt", "model: m\nschema: {}\nconnect_prefix: x\nLABELS: {}\npaltforms: []\n", []string{
			`2:1: unknown key "schema" [did you mean "schemas"?]`,
			`3:1: unknown key "connect_prefix" [did you mean "connectPrefix"?]`,
			`4:1: unknown key "LABELS" [did you mean "labels"?]`,
			`5:1: unknown key "paltforms" [did you mean "platforms"?]`,
		}},
		{"misspelt model is not missing too", "modell: m", []string{`1:1: unknown key "modell" [did you mean "model"?]`}},
		{"near several", "model: m\nbake: {}\n\"\xc3\xa9nv\": {}\n", []string{
			`2:1: unknown key "bake" [did you mean "bakes"?]`,
			`3:1: unknown key "énv" [did you mean "env"?]`,
		}},
		{"long unknown key", "model: m\n" + strings.Repeat("x", 60) + ": 1", []string{
			`2:1: unknown key "` + strings.Repeat("x", 60) + `"` + keysHint,
		}},
		{"repeated", "model: a\nbase: b\nmodel: c\nenv: {A: 1, B: 2, \"A\": 3}\nstreams: {0: a, \"0\": b}", []string{
			`3:1: key "model" is repeated; it is first in line 1`,
			`4:19: key "A" is repeated; it is first in line 4`,
			`5:17: key "0" is repeated; it is first in line 5`,
		}},
		{"repeated by meaning", "model: m\nunpack:\n  a.zip: x\n  ./a.zip: y\n", []string{
			`4:3: unpack "./a.zip" repeats the key in line 3`,
		}},
		{"keys that are no scalars", "model: m\n[a]: b\n? {c: d}\n: e\n\"\": f\n", []string{
			"2:1: a key is a list; want a scalar",
			"3:3: a key is a mapping; want a scalar",
			"5:1: a key is empty",
		}},
		{"variables in keys", "model: m\nlabels: {\"${A}\": b}", []string{
			`2:10: labels "${A}": variables are expanded in values, not in keys`,
		}},
		{"slots", "model: m\nstreams: {007: a, -1: b, x: c, +2: d, 0x3: e, 1.0: f, 99999999999999999999: g}", []string{
			`2:11: slot "007": want 0 or a positive decimal number` + slotHint,
			`2:19: slot "-1": want 0 or a positive decimal number` + slotHint,
			`2:26: slot "x": want 0 or a positive decimal number` + slotHint,
			`2:32: slot "+2": want 0 or a positive decimal number` + slotHint,
			`2:39: slot "0x3": want 0 or a positive decimal number` + slotHint,
			`2:47: slot "1.0": want 0 or a positive decimal number` + slotHint,
			`2:55: slot "99999999999999999999": want 0 or a positive decimal number` + slotHint,
		}},
		{"names of variables", "model: m\nenv: {A=B: c}", []string{`2:7: env "A=B": a variable's name has no =`}},
		{"fleet keys inside", "model: m\nprofiles:\n  p: {bakes: {}, defaults: {}, profiles: {}}", []string{
			`3:7: key "bakes" belongs to the top level of the file`,
			`3:18: key "defaults" belongs to the top level of the file`,
			`3:32: key "profiles" belongs to the top level of the file`,
		}},
		{"no model", "base: b", []string{`1:1: the file has no model [add "model: FILE"]`}},
	})
}

func TestValueProblems(t *testing.T) {
	runProblemTests(t, []problemTest{
		{"wrong kinds", "model: [m]\nbase: {a: b}\nschemas: x\nassets: {a: b}\nallow: [[a], {b: c}]\nlabels: {a: [b]}", []string{
			"1:8: model is a list; want a scalar",
			"2:7: base is a mapping; want a scalar",
			"3:10: schemas is a scalar; want a mapping",
			"4:9: assets is a mapping; want a list",
			"5:9: allow item is a list; want a scalar",
			"5:14: allow item is a mapping; want a scalar",
			`6:13: labels "a" is a list; want a scalar`,
		}},
		{"the whole file", "- model: m", []string{"1:1: the file is a list; want a mapping"}},
		{"null", "model: ~\nbase:\ntags: null\nenv: {A: , B: NULL}\nallow:\n- \nlabels:\n", []string{
			"1:8: model is null" + scalarHint,
			"2:6: base is null" + scalarHint,
			"3:7: tags is null [write [] for none, or remove the key]",
			`4:10: env "A" is null` + scalarHint,
			`4:15: env "B" is null` + scalarHint,
			"6:2: allow item is null" + scalarHint,
			"7:8: labels is null [write {} for none, or remove the key]",
		}},
		{"paths", `model: ""
schemas: {a: ../x, b: a/../../x, c: .., d: /x, e: "C:x", f: 'a\b', g: x/, h: ".", i: x/..}
streams: {0: /x}
attachments: [../x.zip, ""]
unpack: {../x.zip: a, /y.zip: b, z/: c}
assets: ["=x", "", ../x=y, /x, ..]
`, []string{
			"1:8: model: path is empty",
			`2:14: schemas "a": path "../x" leaves the directory of the bake file [move the bake file up, or the file down]`,
			`2:23: schemas "b": path "a/../../x" leaves the directory of the bake file [move the bake file up, or the file down]`,
			`2:37: schemas "c": path ".." leaves the directory of the bake file [move the bake file up, or the file down]`,
			`2:44: schemas "d": path "/x" is absolute [paths are relative to the bake file]`,
			`2:51: schemas "e": path "C:x" is absolute [paths are relative to the bake file]`,
			`2:61: schemas "f": path "a\\b" has a backslash [separate directories with "/"]`,
			`2:71: schemas "g": path "x/" names a directory; want a file`,
			`2:78: schemas "h": path "." names a directory; want a file`,
			`2:86: schemas "i": path "x/.." names a directory; want a file`,
			`3:14: streams "0": path "/x" is absolute [paths are relative to the bake file]`,
			`4:15: attachments item: path "../x.zip" leaves the directory of the bake file [move the bake file up, or the file down]`,
			"4:25: attachments item: path is empty",
			`5:10: unpack: path "../x.zip" leaves the directory of the bake file [move the bake file up, or the file down]`,
			`5:23: unpack: path "/y.zip" is absolute [paths are relative to the bake file]`,
			`5:34: unpack: path "z/" names a directory; want a file`,
			`6:10: asset "=x": want PATH or PATH=DEST`,
			`6:16: asset "": want PATH or PATH=DEST`,
			`6:20: assets item: path "../x" leaves the directory of the bake file [move the bake file up, or the file down]`,
			`6:28: assets item: path "/x" is absolute [paths are relative to the bake file]`,
			`6:32: assets item: path ".." leaves the directory of the bake file [move the bake file up, or the file down]`,
		}},
		{"choices", "model: m\ncompression: gzip:10\nlayers: ''\nplatforms: [amd64, linux/, a/b/c/d]\ntags: ['']\nallow: ['']", []string{
			`2:14: compression "gzip:10": levels of gzip are 1 to 9`,
			`3:9: layers "": want auto, class or single`,
			`4:13: platform "amd64": want OS/ARCH or OS/ARCH/VARIANT`,
			`4:20: platform "linux/": want OS/ARCH or OS/ARCH/VARIANT`,
			`4:28: platform "a/b/c/d": want OS/ARCH or OS/ARCH/VARIANT`,
			"5:8: tags item is empty",
			"6:9: allow item is empty",
		}},
		{"NUL", `model: "a\0b"`, []string{"1:8: a value holds a NUL character"}},
		{"once through aliases", "model: m\nplatforms: [&p amd64, *p]\nenv: &e {A: [x]}\nlabels: *e\nprofiles: {a: &q {layers: x}, b: *q}", []string{
			`2:13: platform "amd64": want OS/ARCH or OS/ARCH/VARIANT`,
			`2:23: platform "amd64": want OS/ARCH or OS/ARCH/VARIANT`,
			`3:13: env "A" is a list; want a scalar`,
			`3:13: labels "A" is a list; want a scalar`,
			`5:27: layers "x": want auto, class or single`,
		}},
	})
}
