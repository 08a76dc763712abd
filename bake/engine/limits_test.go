// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

const megabyte = 1 << 20

// list is n lines of format, whose verb, if it has one, is the line's number.
func list(n int, format string) string {
	var b strings.Builder
	for i := range n {
		if strings.Contains(format, "%") {
			fmt.Fprintf(&b, format, i)
		} else {
			b.WriteString(format)
		}
	}
	return b.String()
}

// fill repeats text up to size bytes.
func fill(size int, text string) string { return strings.Repeat(text, size/len(text)) }

// bigRecord is a record schema of n fields.
func bigRecord(n int) string {
	return `{"type": "record", "name": "R", "fields": [` + list(n, `{"name":"f%d","type":"int"},`) + `{"name":"last","type":"int"}]}`
}

func bigUnion(n int, name string) string {
	return "[" + list(n, `{"type":"record","name":"`+name+`%d","fields":[]},`) + `"null"]`
}

// withRef lets slot 0 read what schema s says with the schema in.
const withRef = `{"Transport": "REST", "Encoding": "json", "Schema": {"$ref": "s"}}`

const explicitPython = "# fastscore.schema.0: in\n# fastscore.schema.1: out\ndef action(x):\n    yield x\n"

// largeBakes are files of the size that an upload may have, made to be
// expensive. Of each, the findings must have one that begins with the pattern
// want; where want is "none", they have no error.
var largeBakes = map[string]struct {
	bake func(t testing.TB) bakery
	want string
}{
	"record": {
		func(t testing.TB) bakery { return bakery{"in.avsc": bigRecord(250_000)} },
		`error S-01 in.avsc:1:\d+: larger than an engine can be expected to read: 1250012 values`,
	},
	"record that is read": {func(t testing.TB) bakery { return bakery{"in.avsc": bigRecord(19_000)} }, "none"},
	"records against each other": {func(t testing.TB) bakery {
		return bakery{"in.avsc": bigRecord(19_000), "s.avsc": bigRecord(19_000) + " ", "0.json": withRef}
	}, "none"},
	"unions against each other": {func(t testing.TB) bakery {
		return bakery{"in.avsc": bigUnion(12_000, "A"), "s.avsc": bigUnion(12_000, "B"), "0.json": withRef}
	}, "none"},
	"enums against each other": {func(t testing.TB) bakery {
		enum := func(text string) string {
			return `{"type": "enum", "name": "E", "symbols": [` + list(90_000, `"`+text+`%d",`) + `"z"]}`
		}
		return bakery{"in.avsc": enum("a"), "s.avsc": enum("a") + " ", "0.json": withRef}
	}, "none"},
	"enum": {func(t testing.TB) bakery {
		return bakery{"in.avsc": `{"type": "enum", "name": "E", "symbols": [` + list(900_000, `"s%d",`) + `"z"]}`}
	}, `error S-01 in.avsc:1:\d+: larger`},
	"union": {func(t testing.TB) bakery { return bakery{"in.avsc": bigUnion(200_000, "A")} }, `error S-01 in.avsc:1:\d+: larger`},
	"types that do not exist": {func(t testing.TB) bakery {
		return bakery{"in.avsc": `[` + list(7_000, `{"type":"record","name":"R%d","fields":[]},`) + list(40_000, `"Q%d",`) + `"null"]`}
	}, "error S-03 in.avsc:1:"},
	"keys of a descriptor": {func(t testing.TB) bakery {
		return bakery{"0.json": `{` + list(700_000, `"k%d":1,`) + `"Transport": "REST", "Encoding": "json"}`}
	}, `error SD-01 0.json:1:\d+: larger than an engine can be expected to read: 1400005 values`},
	"keys that are read": {func(t testing.TB) bakery {
		return bakery{"0.json": `{` + list(49_000, `"k%d":1,`) + `"Transport": "REST", "Encoding": "json"}`}
	}, "warning SD-03 0.json:1:"},
	"inline data": {func(t testing.TB) bakery {
		return bakery{"0.json": `{"Encoding": "json", "Transport": {"Type": "inline", "Data": [` + fill(10*megabyte, `"x",`) + `"x"]}}`}
	}, `error SD-01 0.json:1:\d+: larger`},

	"numbers of PFA": {func(t testing.TB) bakery {
		return bakery{"drop": "in.avsc out.avsc", "model.pfa": `{"input": "double", "output": "double", "action": ["input"], "cells": {"c": {"type": {"type": "array", "items": "double"}, "init": [` +
			fill(20*megabyte, "0.12345, ") + "1]}}}"}
	}, "none"},
	"short numbers of PFA": {func(t testing.TB) bakery {
		return bakery{"drop": "in.avsc out.avsc", "model.pfa": `{"input": "double", "output": "double", "action": ["input"], "cells": [` + fill(20*megabyte, "1,") + "1]}"}
	}, "none"},
	"trees of PFA": {func(t testing.TB) bakery {
		tree := `{"TreeNode":{"field":"x1","operator":"<=","value":{"double":0.75},"pass":{"double":1.5},"fail":{"double":-1.5}}},`
		return bakery{"drop": "in.avsc out.avsc", "model.pfa": `{"input": "double", "output": "double", "action": ["input"], "cells": [` + fill(30*megabyte, tree) + "1]}"}
	}, "none"},
	"empty arrays of PFA": {func(t testing.TB) bakery {
		return bakery{"model.pfa": `{"input": "double", "output": "double", "action": [` + fill(40*megabyte, "[],") + "1]}"}
	}, `error M-11 model.pfa:1:\d+: larger`},
	"PFA as YAML": {func(t testing.TB) bakery {
		return bakery{"drop": "in.avsc out.avsc", "model.yaml": "input: double\noutput: double\naction: [input]\ncells: [" + fill(4*megabyte, "0.12345, ") + "1]\n"}
	}, "none"},
	"much PFA as YAML": {func(t testing.TB) bakery {
		return bakery{"drop": "in.avsc out.avsc", "model.yaml": "input: double\noutput: double\naction: [input]\ncells: [" + fill(10*megabyte, "1, ") + "1]\n"}
	}, "note X-00 model.yaml: more than 500000 values"},
	"aliases": {func(t testing.TB) bakery {
		return bakery{"model.yaml": "a: &a [" + fill(100_000, "1, ") + "1]\nb: [" + fill(megabyte, "*a, ") + "1]\n"}
	}, "error M-11 model.yaml:1:"},
	"notebook": {func(t testing.TB) bakery {
		return bakery{"model.ipynb": `{"cells": [{"cell_type": "code", "source": [` + fill(10*megabyte, `"x = 1\n", `) + `"def action(x): pass"]}], "nbformat": 4}`}
	}, "warning M-16 model.ipynb"},

	"Python":              {func(t testing.TB) bakery { return bakery{"model.py3": explicitPython + fill(10*megabyte, "x;")} }, "note X-00 model.py3: more than 1000000 words"},
	"Python that is read": {func(t testing.TB) bakery { return bakery{"model.py3": explicitPython + fill(240_000*4, "x();")} }, "none"},
	"Python of lists": {func(t testing.TB) bakery {
		return bakery{"model.py3": explicitPython + "w = [" + fill(20*megabyte, "-0.25,\n") + "1]\n"}
	}, "none"},
	"Python of blocks": {func(t testing.TB) bakery {
		var b strings.Builder
		for i := range 4_400 {
			b.WriteString(strings.Repeat(" ", i) + "if x:\n")
		}
		return bakery{"model.py3": explicitPython + b.String()}
	}, "none"},
	"Python 2 of prints": {func(t testing.TB) bakery { return bakery{"model.py": explicitPython + fill(megabyte, "print(")} }, "none"},
	"Python of markers": {func(t testing.TB) bakery {
		return bakery{"model.py3": fill(5*megabyte, "# modelop.score\n") + fill(megabyte, "x = 1\n")}
	}, "error M-05 model.py3"},
	"Python of callbacks": {func(t testing.TB) bakery {
		return bakery{"model.py3": list(500, "# fastscore.action.%d0: f%[1]d\n") + fill(megabyte, "x = a\n")}
	}, "error M-05 model.py3"},
	"annotations": {func(t testing.TB) bakery {
		return bakery{"model.py3": list(200_000, "# fastscore.schema.s%d: in\n# fastscore.slot: unused\n")}
	}, "error M-04 model.py3:4001"},
	"meant annotations": {func(t testing.TB) bakery {
		return bakery{"model.py3": explicitPython + list(200_000, "x = 1 # fastscore.schema.s%d: in\n")}
	}, "warning N-01 model.py3:5"},
	"comments": {func(t testing.TB) bakery { return bakery{"model.py3": explicitPython + fill(10*megabyte, "#\n")} }, "none"},
	"R": {func(t testing.TB) bakery {
		return bakery{"model.R": "action <- function(x) emit(x)\n" + fill(10*megabyte, "x;")}
	}, "note X-00 model.R: more than 1000000 words"},
	"R of raw strings": {func(t testing.TB) bakery {
		return bakery{"model.R": "action <- function(x) emit(x)\n" + fill(megabyte, `r"---(`)}
	}, "none"},
	"Octave": {func(t testing.TB) bakery {
		return bakery{"model.m": "function y = model(x)\n" + fill(10*megabyte, "x;")}
	}, "note X-00 model.m: more than 1000000 words"},
	"Octave of functions": {func(t testing.TB) bakery { return bakery{"model.m": "x = [\n" + fill(4*megabyte, "function\n")} }, "error M-15 model.m"},
	"C":                   {func(t testing.TB) bakery { return bakery{"model.c": fill(10*megabyte, "begin();")} }, "note X-00 model.c: more than 1000000 words"},
	"Java of classes":     {func(t testing.TB) bakery { return bakery{"model.java": fill(2*megabyte, "class A ")} }, "error M-08 model.java"},
	"PrettyPFA": {func(t testing.TB) bakery {
		return bakery{"drop": "in.avsc out.avsc", "model.ppfa": "input: double\noutput: double\naction: input\nmetadata: " + fill(megabyte, "schema.0: x, ") + "\n"}
	}, "warning N-11 model.ppfa:4:11"},
	"literals": {func(t testing.TB) bakery {
		return bakery{"model.py3": explicitPython + list(100_000, "open('/assets/%d')\n")}
	}, `warning X-18 model.py3:7:6: /assets/2 is named`},

	"deep names of an attachment": {func(t testing.TB) bakery {
		var members []member
		for i := range 200 {
			members = append(members, member{name: fmt.Sprint(i) + fill(4000, "/a")})
		}
		return bakery{"a.zip": zipped(t, members...)}
	}, "warning A-05 a.zip: listing the attachment was given up"},
	"long names of an attachment": {func(t testing.TB) bakery { return bakery{"a.tgz": tgz(t, member{name: fill(megabyte/2, "a/") + "a"})} }, "error A-03 a.tgz"},
}

const largeBake = "CRANE_BAKE_LARGE_BAKE" // in the environment: which one a child checks

// Files of 10 MB and more are checked within a second or two and in bounded
// memory, or are refused.
func TestLimits(t *testing.T) {
	if name := os.Getenv(largeBake); name != "" {
		checkLarge(t, name)
		return
	}
	if testing.Short() || raceEnabled {
		t.Skip("large files, and limits that only hold at full speed")
	}
	for name := range largeBakes {
		t.Run(name, func(t *testing.T) {
			child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestLimits$", "-test.v")
			child.Env = append(os.Environ(), largeBake+"="+name)
			out, err := child.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// checkLarge checks one bake in a process of its own, so that what the process
// has ever asked the system for is what the check needed.
func checkLarge(t *testing.T, name string) {
	files := largeBakes[name].bake(t)
	size := 0
	for _, content := range files {
		size += len(content)
	}
	runtime.GC()
	start := time.Now()
	found := files.check()
	took := time.Since(start)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)

	want := largeBakes[name].want
	pattern := regexp.MustCompile("^" + want)
	matches := want == "none" && len(errorsOf(found)) == 0
	for _, f := range found {
		matches = matches || pattern.MatchString(show(f))
	}
	if !matches {
		t.Errorf("want %s; got\n%s", want, showAll(found[:min(len(found), 50)]))
	}
	if len(found) > 100 {
		t.Errorf("%d findings", len(found))
	}
	needs := (int(after.Sys) - size) / megabyte
	t.Logf("%s: %d MB, %v, %d MiB", name, size/megabyte, took, needs)
	if limit := 6 * time.Second; took > limit {
		t.Errorf("took %v, want at most %v", took, limit)
	}
	if needs > 256 {
		t.Errorf("needs %d MiB, want at most 256", needs)
	}
}
