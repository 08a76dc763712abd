// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// testdata/wild has bakes as people write them. They work, so no finding may
// be an error, whatever the line ends and whether or not the base is known.
func TestWildBakesHaveNoErrors(t *testing.T) {
	files, err := filepath.Glob("testdata/wild/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, crlf := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/crlf=%t", filepath.Base(file), crlf), func(t *testing.T) {
				b := bakery{}
				for _, f := range ar.Files {
					text := string(f.Data)
					if meta := f.Name == "env" || f.Name == "base" || f.Name == "drop"; crlf && !meta {
						text = strings.ReplaceAll(text, "\n", "\r\n")
					}
					b[f.Name] = text
				}
				if found := errorsOf(b.check()); len(found) > 0 {
					t.Errorf("errors:\n%s", showAll(found))
				}
			})
		}
	}
}

// The published example, with its mistakes, gets the answers of the contract's
// section 1.1, and gets them in that order.
func TestExampleThatEverybodyCopies(t *testing.T) {
	found := bakery{
		"drop":       "in.avsc out.avsc 0.json 1.json",
		"base":       "ref fastscore/engine:latest\n",
		"model.py":   "# fastscore.schema.0: gbm_input\n# fastscore.schema.1: outputsch\ndef action(x: dict):\n    yield x\n",
		"input.avsc": `"double"`, "output.avsc": `"double"`, "rest.json": `{"Transport": "REST", "Encoding": "json"}`,
		"env": "SCHEMAS=inputsch:/assets/input.avsc;outputsch:/assets/output.avsc\n" +
			"STREAMS=0:/assets/rest.json;1:/assets/kafka.json\nCONNECT_PREFIX\n",
	}.check()
	want := []string{
		"error ENV-08 STREAMS: STREAMS: slot 1 -> /assets/kafka.json: no such file in the image " +
			"[add kafka.json; files added: input.avsc, model.py, output.avsc, rest.json, or bind the slot to /assets/rest.json]",
		"warning ENV-11 CONNECT_PREFIX: ", "warning M-02 model.py:3:13: ",
		`error X-01 model.py:1: schema "gbm_input" for slot 0 is not bound [bind it with --schema gbm_input=FILE; bound names: inputsch, outputsch]`,
		"note ENV-18 : base image fastscore/engine:latest is whatever was pushed last",
	}
	for i, f := range found {
		if i >= len(want) || !strings.HasPrefix(show(f), want[i]) {
			t.Errorf("finding %d: %s", i, show(f))
		}
	}
	if len(found) != len(want) {
		t.Errorf("%d findings, want %d", len(found), len(want))
	}
}

// A hint suggests another name, never the one that was not found.
func TestHintsDoNotRepeatTheName(t *testing.T) {
	for _, f := range (bakery{"env": "STREAMS=0:/assets/0.json;1:/assets/sub/out.avsc\n"}).check() {
		if f.Rule == "ENV-08" && !strings.Contains(f.Hint, "did you mean") {
			return
		}
		t.Error(show(f))
	}
	t.Error("no finding about /assets/sub/out.avsc")
}

// No finding may carry the secret that it is about: findings end up in logs.
func TestSecretsAreNotPrinted(t *testing.T) {
	secrets := 0
	for _, tc := range allCases(t) {
		if !strings.HasPrefix(tc.rule, "SD-") {
			continue
		}
		text := showAll(tc.found())
		if strings.Contains(text, "hunter2") {
			t.Errorf("%s/%s:\n%s", tc.rule, tc.name, text)
		}
		if tc.rule == "SD-54" {
			secrets++
		}
	}
	if secrets < 5 {
		t.Errorf("only %d cases with secrets", secrets)
	}
	// Nor may the messages about broken JSON, wherever it breaks.
	whole := `{"Transport": {"Type": "S3", "Bucket": "abc", "ObjectKey": "k", "SecretAccessKey": "hunter2", "AccessKeyID": "hunter2"}, "Url": "https://u:hunter2@h", "x": ["hunter2"]}`
	for i := range whole {
		for _, broken := range []string{whole[:i], whole[:i] + whole[i+1:], whole[:i] + `"` + whole[i:], whole[:i] + "," + whole[i:]} {
			if text := showAll(bakery{"0.json": broken}.check()); strings.Contains(text, "hunter2") {
				t.Fatalf("%s\n%s", broken, text)
			}
		}
	}
}

// A broken file gives a bounded number of findings, and says how many more
// there were.
func TestManyFindings(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&b, `"unknown %d": 1,`, i)
	}
	start := time.Now()
	found := bakery{"0.json": "{" + b.String() + `"Transport": "REST", "Encoding": "json"}`}.check()
	if len(found) != 20 || !strings.HasSuffix(found[19].Message, "(and 19980 more like it)") {
		t.Errorf("%d findings\n%s", len(found), show(found[len(found)-1]))
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

// Nor does a model of many mistakes; the rest of them are counted all the same.
func TestManyFindingsOfAModel(t *testing.T) {
	found := bakery{"model.py3": "def action(x):\n    yield x\n" + strings.Repeat("x = 1 # fastscore.schema.0: in\n", 30)}.check()
	found = slices.DeleteFunc(found, func(f engine.Finding) bool { return f.Rule != "N-01" })
	if len(found) != 20 || !strings.HasSuffix(found[19].Message, "(and 10 more like it)") {
		t.Errorf("%d findings\n%s", len(found), showAll(found))
	}
}

// Long lists of numbers are passed over, and what stands before and after them
// is not.
func TestListsOfNumbers(t *testing.T) {
	list := "[" + strings.Repeat("1.5, -2,\n  +3e-7, ", 100) + "0]"
	for name, source := range map[string]string{
		"model.py3": "w = {'a': " + list + "}\ndef action(x, a=1, b=-1):\n    yield x\nv = (1, 2, f(3, -4), 'x')\n",
		"model.R":   "w <- c(" + strings.Trim(list, "[]") + ")\naction <- function(x, a = 1, b = -1) { emit(x) }\n",
		"model.c":   "#include \"fastscore.h\"\ndouble w[] = {" + strings.Trim(list, "[]") + "};\nvoid begin(void) {}\nvoid action(fastscore_value_t v, int s, int n) {}\nvoid end1(void) {}\n",
	} {
		if found := errorsOf(bakery{name: source}.check()); len(found) > 0 {
			t.Errorf("%s:\n%s", name, showAll(found))
		}
		source = strings.ReplaceAll(source, "action", "other")
		if found := errorsOf(bakery{name: source}.check()); len(found) == 0 {
			t.Errorf("%s: no callback, and no finding", name)
		}
	}
	many := "def action(a, b, c, d=" + list + ", e=1):\n    pass\n"
	for _, f := range errorsOf(bakery{"model.py3": strings.ReplaceAll(many, "\n  ", "")}.check()) {
		if f.Rule == "M-06" && strings.Contains(f.Message, "takes 5 parameters") {
			return
		}
	}
	t.Error("a callback of five parameters is not found")
}

// Files that nest deeper than any reader bears are findings, not crashes.
func TestDeepNesting(t *testing.T) {
	deep := strings.Repeat(`{"type": `, 100_000)
	for name, rule := range map[string]string{"0.json": "SD-01", "in.avsc": "S-01", "model.pfa": "M-11", "model.yaml": "M-11", "model.ipynb": "M-16"} {
		var rules []string
		for _, f := range (bakery{name: deep}).check() {
			rules = append(rules, f.Rule)
		}
		if !strings.Contains(strings.Join(rules, " "), rule) {
			t.Errorf("%s: %v", name, rules)
		}
	}
	var chain strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&chain, `{"type": "record", "name": "A%d", "fields": [{"name": "x", "type": "A%d"}]},`, i, i+1)
	}
	pfa := `{"input": "A0", "output": "int", "action": [` + chain.String() + `1]}`
	if found := errorsOf(bakery{"model.pfa": pfa, "drop": "in.avsc out.avsc"}.check()); len(found) > 0 {
		t.Errorf("a chain of declarations:\n%s", showAll(found))
	}
}

// Checking must be cheap enough to run before every build.
func BenchmarkCheck(b *testing.B) {
	img := bakery{}.over().image()
	for b.Loop() {
		if found := engine.Check(img, engine.Options{}); found != nil {
			b.Fatal(found)
		}
	}
}
