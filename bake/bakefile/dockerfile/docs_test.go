// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/buildkit/frontend/dockerfile/command"

	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

func reference(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../../docs/dockerfile.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// table is the table below a heading of the reference, without its head.
func table(t *testing.T, heading string) [][]string {
	t.Helper()
	_, rest, ok := strings.Cut(reference(t), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("the reference has no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	var rows [][]string
	for line := range strings.Lines(rest) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		for i := range cells {
			cells[i] = strings.ReplaceAll(strings.TrimSpace(cells[i]), "`", "")
		}
		rows = append(rows, cells)
	}
	if len(rows) < 3 {
		t.Fatalf("section %q has no table", heading)
	}
	return rows[2:]
}

func TestReferenceSupported(t *testing.T) {
	// Options that are refused count as supported in the code, which knows
	// how to refuse them.
	for _, row := range table(t, "What is refused") {
		for _, option := range regexp.MustCompile(`(\w+) --([a-z-]+)(?: or --([a-z-]+))?`).FindAllStringSubmatch(row[0], -1) {
			for _, name := range option[2:] {
				if name != "" && !slices.Contains(dockerfile.Supported[option[1]], name) {
					t.Errorf("%s --%s is refused, but not known", option[1], name)
				}
			}
		}
	}
	refusedOptions := map[string][]string{"COPY": {"from", "parents"}, "ADD": {"checksum", "keep-git-dir"}}
	want := map[string][]string{}
	for name, options := range dockerfile.Supported {
		want[name] = []string{}
		for _, o := range options {
			if !slices.Contains(refusedOptions[name], o) {
				want[name] = append(want[name], "--"+o)
			}
		}
	}
	got := map[string][]string{}
	for _, row := range table(t, "What is followed") {
		got[row[0]] = strings.Fields(row[1])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("instructions and options (-code +reference):\n%s", diff)
	}
}

func TestReferenceRefused(t *testing.T) {
	var got [][3]string
	for _, row := range table(t, "What is refused") {
		got = append(got, [3]string(row))
	}
	if diff := cmp.Diff(dockerfile.Refusals(), got); diff != "" {
		t.Errorf("(-code +reference):\n%s", diff)
	}
}

// TestInstructions wants every instruction of the parser to be followed or
// refused.
func TestInstructions(t *testing.T) {
	var want []string
	for name := range command.Commands {
		want = append(want, strings.ToUpper(name))
	}
	got := slices.Concat(slices.Collect(maps.Keys(dockerfile.Supported)), dockerfile.Refused())
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-parser +here):\n%s", diff)
	}
}

func TestReferenceExample(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```dockerfile\n(.*?)```").FindAllStringSubmatch(reference(t), -1)
	if len(blocks) != 1 {
		t.Fatalf("%d examples, want 1", len(blocks))
	}
	got := evaluate(t, blocks[0][1], dockerfile.Options{Context: scorer()})
	if got.Base != "fastscore/engine:1.10" || len(got.Copies) != 6 || !got.Copies[5].Unpack || len(got.Env) != 4 {
		t.Errorf("spec is %+v", got)
	}
}
