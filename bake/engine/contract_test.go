// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine"
)

var update = flag.Bool("update", false, "write docs/contract.md's rules from the rule table and its cases")

const (
	contractFile  = "../../docs/contract.md"
	contractStart = "<!-- made from the rules and their tests: go test ./bake/engine -run TestContractIsCurrent -update -->\n"
)

// TestContractIsCurrent keeps docs/contract.md, the rules and their cases
// together.
func TestContractIsCurrent(t *testing.T) {
	file, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	before, got, found := bytes.Cut(file, []byte(contractStart))
	if !found {
		t.Fatalf("%s has no line %q", contractFile, contractStart)
	}
	want := contract(t)
	if *update && !t.Failed() {
		if err := os.WriteFile(contractFile, append(append(before, contractStart...), want...), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("run go test ./bake/engine -run TestContractIsCurrent -update (-want +got):\n%s", diff)
	}
}

// families are the rules' prefixes in the order of the table.
var families = []struct{ prefix, title, about string }{
	{"ENV", "Environment", "The variables that bind files to their parts, and the files that they bind."},
	{"M", "Models", "The model file: what its extension selects, and what its runner needs to find in it."},
	{"N", "Annotations", "The comments of a model that name schemas and slots."},
	{"S", "Schemas", "Each Avro file alone. The inline schemas of annotations and streams obey the same rules."},
	{"SD", "Stream descriptors", "Each descriptor alone, and for the slots that it is bound to."},
	{"A", "Attachments", "The archives of `ATTACHMENTS`."},
	{"X", "Across files", "How model, schemas and streams fit together. What needs a file with errors is left out, and X-00 says so."},
}

// codedChanges say what the cases of codedCases do to the default bake.
var codedChanges = map[string]string{
	"ENV-10": "`model.py3` has mode 0600 in the image.",
	"ENV-13": "`SCHEMAS` binds a path of 131,072 letters.",
	"ENV-17": "`in.avsc` and `other/in.avsc` are baked, both as `/assets/in.avsc`.",
	"A-01":   "`weights.tar` is an attachment.",
	"A-02":   "`weights.zip`, an attachment, was packed by `tar -cz`.",
	"A-03":   "`weights.tgz`, an attachment, has a member `../etc/passwd`.",
	"A-04":   "Two attachments have a member of the same name.",
	"A-05":   "`a.zip`, an attachment, has 48 MB.",
	"A-06":   "`a.zip` is an attachment.",
	"A-07":   "`model.py3` says `# fastscore.module-attached: my_lib`, and the bake has no `my_lib`.",
}

// contract is the page's list of rules.
func contract(t *testing.T) string {
	rules := engine.Rules()
	coded := codedCases(t)
	cases := append(allCases(t)[len(coded):], coded...) // those with files first
	told := maps.Clone(codedChanges)
	var b strings.Builder
	for _, family := range families {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", family.title, family.about)
		for len(rules) > 0 && strings.HasPrefix(rules[0].ID, family.prefix+"-") {
			r := rules[0]
			rules = rules[1:]
			delete(told, r.ID)
			writeRule(t, &b, r, slices.DeleteFunc(slices.Clone(cases), func(tc ruleCase) bool { return tc.rule != r.ID }))
		}
	}
	if len(rules) > 0 || len(told) > 0 {
		t.Errorf("rules without a family: %v; changes without a rule: %v", rules, told)
	}
	return b.String()
}

// writeRule writes one rule: what it says, how it grades, and the first case
// that fails as its findings usually do.
func writeRule(t *testing.T, b *strings.Builder, r engine.Rule, cases []ruleCase) {
	also := map[string]bool{}
	example := -1
	for i, tc := range cases {
		severity, _, _ := strings.Cut(tc.want, " ")
		switch {
		case severity == r.Severity.String() && example < 0:
			example = i
		case severity != r.Severity.String() && severity != "none":
			also[severity] = true
		}
	}
	if example < 0 {
		t.Fatalf("%s: no case that fails with %s", r.ID, r.Severity)
	}
	severity := r.Severity.String()
	if len(also) > 0 {
		severity += ", at times " + strings.Join(slices.Sorted(maps.Keys(also)), " or ")
	}
	fmt.Fprintf(b, "\n### %s\n\n%s (%s).\n", r.ID, strings.ToUpper(r.Summary[:1])+r.Summary[1:], severity)
	writeFiles(t, b, cases[example])
	for _, f := range cases[example].found() {
		if f.Rule == r.ID && f.Severity == r.Severity {
			fmt.Fprintf(b, "\n```\n%s\n", checkLine(f))
			if f.Hint != "" {
				fmt.Fprintf(b, "  %s\n", f.Hint)
			}
			b.WriteString("```\n")
			return
		}
	}
	t.Errorf("%s/%s: found nothing", r.ID, cases[example].name)
}

// writeFiles shows how a case differs from the default bake.
func writeFiles(t *testing.T, b *strings.Builder, tc ruleCase) {
	source := "testdata/rules/" + tc.rule + ".txtar"
	var files bakery
	if _, err := os.Stat(source); !errors.Is(err, fs.ErrNotExist) {
		_, all := bakeriesOf(t, source)
		files = all[tc.name]
	}
	if files == nil {
		change := codedChanges[tc.rule]
		if change == "" {
			t.Errorf("%s: codedChanges does not say what %s changes", tc.rule, tc.name)
		}
		fmt.Fprintf(b, "\n%s\n", change)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		switch text := strings.TrimSpace(files[name]); {
		case name == "drop":
			fmt.Fprintf(b, "\nWithout `%s`.\n", strings.Join(strings.Fields(text), "`, `"))
		case name == "base":
			fmt.Fprintf(b, "\n%s\n", describeBase(text))
		case name == "env" && !strings.Contains(text, "="):
			fmt.Fprintf(b, "\nWithout the variable `%s`.\n", text)
		case name == "env":
			fmt.Fprintf(b, "\nThe environment:\n\n```\n%s```\n", shortened(text))
		case text == "":
			fmt.Fprintf(b, "\n`%s` is empty.\n", name)
		default:
			language := map[string]string{".json": "json", ".avsc": "json", ".pfa": "json", ".py": "python", ".py3": "python", ".R": "r", ".c": "c", ".java": "java"}[path.Ext(name)]
			fmt.Fprintf(b, "\n`%s`:\n\n```%s\n%s```\n", name, language, shortened(text))
		}
	}
}

// describeBase puts a bakery's lines about the base into a sentence.
func describeBase(text string) string {
	var parts []string
	for line := range strings.Lines(text) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "ref":
			parts = append(parts, "is `"+rest+"`")
		case "env":
			parts = append(parts, "sets `"+rest+"`")
		case "file", "dir":
			parts = append(parts, "has `"+rest+"`")
		}
	}
	if slices.Contains(strings.Fields(text), "listed") {
		parts = append(parts, "and no other files are in it")
	}
	return "The base image " + strings.Join(parts, ", ") + "."
}

// shortened keeps the beginning of a long file and of long lines.
func shortened(text string) string {
	const lines, columns = 12, 240
	var b strings.Builder
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > lines {
			b.WriteString("…\n")
			break
		}
		line = strings.TrimRight(line, "\r\n")
		if utf8.RuneCountInString(line) > columns {
			line = string([]rune(line)[:columns]) + "…"
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// checkLine is a finding as the command check prints it.
func checkLine(f engine.Finding) string {
	place := f.Variable
	if f.File != "" {
		place = f.File
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
	if place != "" && !strings.HasPrefix(f.Message, place) {
		return fmt.Sprintf("%s %s %s: %s", f.Severity, f.Rule, place, f.Message)
	}
	return fmt.Sprintf("%s %s %s", f.Severity, f.Rule, f.Message)
}
