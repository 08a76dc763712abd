// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A ruleCase is a bake and what one rule says about it.
type ruleCase struct {
	rule, name string
	// want is "SEVERITY PLACE PART-OF-MESSAGE" of one finding of the rule, or
	// "none".
	want  string
	found func() []engine.Finding
	// alone: no other rule finds an error.
	alone bool
}

// casesOf reads testdata/rules/RULE.txtar. Its comment has a line "CASE WANT"
// for each case ("CASE+ WANT" if other rules find errors too), and the files
// of a case stand below a directory of its name.
func casesOf(t *testing.T, file string) []ruleCase {
	comment, files := bakeriesOf(t, file)
	var cases []ruleCase
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, want, _ := strings.Cut(line, " ")
		name, crowded := strings.CutSuffix(name, "+")
		b := files[name]
		delete(files, name)
		cases = append(cases, ruleCase{
			rule: strings.TrimSuffix(filepath.Base(file), ".txtar"), name: name, want: want, found: b.check, alone: !crowded,
		})
	}
	for name := range files {
		t.Errorf("%s: case %s is not in the comment", file, name)
	}
	return cases
}

// bakeriesOf is the comment and the files, by case, of testdata/rules/RULE.txtar.
func bakeriesOf(t *testing.T, file string) (comment string, files map[string]bakery) {
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	files = make(map[string]bakery)
	for _, f := range ar.Files {
		name, rest, ok := strings.Cut(f.Name, "/")
		if !ok {
			t.Fatalf("%s: file %s belongs to no case", file, f.Name)
		}
		if files[name] == nil {
			files[name] = bakery{}
		}
		files[name][rest] = string(f.Data)
	}
	return string(ar.Comment), files
}

func allCases(t *testing.T) []ruleCase {
	files, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	cases := codedCases(t)
	for _, file := range files {
		cases = append(cases, casesOf(t, file)...)
	}
	return cases
}

func TestRules(t *testing.T) {
	severities := make(map[string][]string)
	for _, r := range engine.Rules() {
		severities[r.ID] = append(severities[r.ID], r.Severity.String())
	}
	for _, tc := range allCases(t) {
		t.Run(tc.rule+"/"+tc.name, func(t *testing.T) {
			if severities[tc.rule] == nil {
				t.Fatalf("no rule %s", tc.rule)
			}
			found := tc.found()
			matches := false
			severity, rest, _ := strings.Cut(tc.want, " ")
			place, message, _ := strings.Cut(rest, " ")
			for _, f := range found {
				if f.Rule != tc.rule {
					if f.Severity == engine.Error && tc.alone {
						t.Errorf("another error: %s", show(f))
					}
					continue
				}
				if tc.want == "none" {
					t.Errorf("unexpected: %s", show(f))
				}
				if f.Hint == "" && f.Severity > engine.Note {
					t.Errorf("no hint: %s", show(f))
				}
				if f.Severity.String() == severity && placeOf(f) == place && strings.Contains(f.Message, message) {
					matches = true
				}
			}
			if tc.want != "none" && !matches {
				t.Errorf("want %s %s; got\n%s", tc.rule, tc.want, showAll(found))
			}
		})
	}
}

// placeOf is FILE[:LINE[:COLUMN]] or the variable, "-" for neither.
func placeOf(f engine.Finding) string {
	place := f.File
	if place == "" {
		place = f.Variable
	}
	if place == "" {
		return "-"
	}
	if f.Line > 0 {
		place += fmt.Sprintf(":%d", f.Line)
	}
	if f.Column > 0 {
		place += fmt.Sprintf(":%d", f.Column)
	}
	return place
}

// Every rule has a case that it finds fault with, with its usual severity, and
// one that it passes.
func TestEveryRuleHasCases(t *testing.T) {
	fails, passes := make(map[string]bool), make(map[string]bool)
	for _, tc := range allCases(t) {
		severity, _, _ := strings.Cut(tc.want, " ")
		if severity == "none" {
			passes[tc.rule] = true
		} else {
			fails[tc.rule+" "+severity] = true
		}
	}
	for _, r := range engine.Rules() {
		if !fails[r.ID+" "+r.Severity.String()] {
			t.Errorf("%s: no case that fails with %s", r.ID, r.Severity)
		}
		if !passes[r.ID] {
			t.Errorf("%s: no case that passes", r.ID)
		}
	}
}

// testdata/rules.txt lists the rules of the contract and their severities. A
// change of either is a change of what users rely on.
func TestRuleTable(t *testing.T) {
	want, err := os.ReadFile("testdata/rules.txt")
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	seen := make(map[string]bool)
	for _, r := range engine.Rules() {
		fmt.Fprintf(&got, "%s %s\n", r.ID, r.Severity)
		if r.Summary == "" || seen[r.ID] {
			t.Errorf("%s: repeated, or without summary %q", r.ID, r.Summary)
		}
		seen[r.ID] = true
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	rules := engine.Rules()
	rules[0].ID = "changed"
	if engine.Rules()[0].ID == "changed" {
		t.Error("Rules hands out its own table")
	}
}

func TestPlainBake(t *testing.T) {
	if found := (bakery{}).check(); found != nil {
		t.Errorf("findings:\n%s", showAll(found))
	}
}

// errorsOf are the errors among findings.
func errorsOf(found []engine.Finding) []engine.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f engine.Finding) bool { return f.Severity < engine.Error })
}
