// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

// TestBounds wants hostile files to end in an error, and soon.
func TestBounds(t *testing.T) {
	doubling := "FROM a\nENV A0=" + strings.Repeat("x", 1024) + "\n"
	for i := range 40 {
		doubling += fmt.Sprintf("ENV A%d=$A%d$A%d\n", i+1, i, i)
	}
	const patterns = "FROM a\nARG A\nENV B="
	for name, c := range map[string]struct {
		text string
		args args
		want string
	}{
		"size":       {text: "FROM a\n#" + strings.Repeat("\n#", 1<<19), want: "0: the file is larger than 1048576 bytes"},
		"lines":      {text: "FROM a" + strings.Repeat("\n", 50_001), want: "0: the file has more than 50000 lines"},
		"line":       {text: "FROM a\nENV A=" + strings.Repeat("x", 1<<16), want: "2: the line is longer than 65535 bytes"},
		"operands":   {text: "FROM a\nENV A=" + strings.Repeat("${A:-", 201), want: "0: the file has more than 200 of ${NAME:-...} and the like"},
		"triggers":   {text: "FROM a\n" + strings.Repeat("onbuild ", 101), want: "0: the file has more than 100 ONBUILD"},
		"doubling":   {text: doubling, want: `16: "$A13$A13": too long after expansion`},
		"multiplied": {text: patterns + "${A//x/$A}", args: args{"A": strings.Repeat("x", 5000)}, want: `3: "${A//x/$A}": too long after expansion`},
		"nested": {
			text: patterns + "${A//x/${A//x/${A//x/$A}}}", args: args{"A": strings.Repeat("x", 100)},
			want: `3: "${A//x/${A//x/${A//x/$A}}}": too long after expansion`,
		},
		"pattern": {text: patterns + "${A#" + strings.Repeat("*a", 3000) + "}", want: `3: "${A#` + strings.Repeat("*a", 28) + `"...: too long after expansion`},
		"source":  {text: "FROM a\nARG A\nCOPY $A /x", args: args{"A": strings.Repeat("x", 17<<20)}, want: `3: "$A": too long after expansion`},
	} {
		t.Run(name, func(t *testing.T) {
			got := problems(t, c.text, dockerfile.Options{BuildArgs: c.args})
			if len(got) == 0 {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(c.want, got[0]); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestWithinBounds wants what is merely large to work.
func TestWithinBounds(t *testing.T) {
	text := "FROM a\nARG A\nENV B=${A//./_}-${A%.*}\n" + strings.Repeat("LABEL a=${A}\n", 1000) + "COPY <<A /x\n" + strings.Repeat(strings.Repeat("x", 1000)+"\n", 900) + "A\n"
	got := evaluate(t, text, dockerfile.Options{BuildArgs: args{"A": strings.Repeat("1.", 200) + "2"}})
	if want := strings.Repeat("1_", 200) + "2-" + strings.Repeat("1.", 199) + "1"; got.Env["B"] != want {
		t.Errorf("B is %q", got.Env["B"])
	}
}

func TestManyCopies(t *testing.T) {
	fsys := fstest.MapFS{}
	for i := range 500 {
		fsys[fmt.Sprintf("f%d", i)] = &fstest.MapFile{}
	}
	got := problems(t, "FROM a\n"+strings.Repeat("COPY f* /x/\n", 201), dockerfile.Options{Context: fsys})
	want := []string{"202: the file copies more than 100000 files and directories"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestManyProblems(t *testing.T) {
	for lines, want := range map[string]int{
		strings.Repeat("RUN true\n", 5000): 5000,
		strings.Repeat("ENV A\n", 50):      20, // syntax errors
		strings.Repeat("COPY a /x/\n", 50): 50,
	} {
		if got := problems(t, "FROM a\n"+lines, dockerfile.Options{}); len(got) != want {
			t.Errorf("%s: %d problems, want %d", clipped(lines), len(got), want)
		}
	}
}
