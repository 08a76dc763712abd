// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile"
)

func reference(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/bakefile.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// section is the part of the reference below a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(reference(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the reference has no section %q", heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

var yamlBlock = regexp.MustCompile("(?s)```yaml\n(.*?)```")

func TestReferenceExamples(t *testing.T) {
	want := map[string]int{"": 1, "prod": 1, "quick": 2} // profile to number of bakes
	got := map[string]int{}
	for _, m := range yamlBlock.FindAllStringSubmatch(reference(t), -1) {
		var profile string
		if p := regexp.MustCompile(`profiles:\n  (\w+):`).FindStringSubmatch(m[1]); p != nil {
			profile = p[1]
		}
		if _, err := bakefile.Parse([]byte(m[1]), "bake.yaml", bakefile.Options{}); err != nil {
			t.Error(err)
		}
		bakes, err := bakefile.Parse([]byte(m[1]), "bake.yaml", bakefile.Options{Profile: profile, LookupEnv: environ("VERSION=1")})
		if err != nil {
			t.Error(err)
		}
		got[profile] = len(bakes)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("examples: profile to number of bakes (-want +got):\n%s", diff)
	}
}

func TestReferenceKeys(t *testing.T) {
	var keys []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(section(t, "Keys"), -1) {
		keys = append(keys, m[1])
	}
	_, err := bakefile.Parse([]byte("model: m\nxyzzy: 1"), "b.yaml", bakefile.Options{})
	want := "2:1: unknown key \"xyzzy\" [keys: " + strings.Join(keys, ", ") + "]\n"
	if diff := cmp.Diff(want, report(t, err, "b.yaml")); diff != "" {
		t.Errorf("keys of the reference against those of the package (-want +got):\n%s", diff)
	}
}

func TestReferenceVariables(t *testing.T) {
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*) \\| (.*) \\| (.*) \\|$").FindAllStringSubmatch(section(t, "Variables"), -1)
	if len(rows) != 9 {
		t.Fatalf("%d rows, want 9", len(rows))
	}
	for _, row := range rows {
		for i, env := range []func(string) (string, bool){environ(), environ("VAR="), environ("VAR=v")} {
			got := "error"
			bakes, err := bakefile.Parse([]byte("model: m\nenv: {x: "+quoted(row[1])+"}"), "b.yaml", bakefile.Options{LookupEnv: env})
			if err == nil {
				got = "`" + bakes[0].Spec.Env["x"] + "`"
			}
			if got != row[i+2] {
				t.Errorf("%s, column %d: got %s, want %s", row[1], i+2, got, row[i+2])
			}
		}
	}
}
