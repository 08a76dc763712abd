// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/bake/bakefile"
)

func TestDocumentProblems(t *testing.T) {
	const empty = ` the file is empty [a bake file needs at least "model: FILE"]`
	const noTag = " [remove it; values need no tags]"
	runProblemTests(t, []problemTest{
		{"empty", "", []string{"1:1:" + empty}},
		{"byte order mark only", "\ufeff", []string{"1:1:" + empty}},
		{"comments only", "# nothing\n\n", []string{"1:1:" + empty}},
		{"start mark only", "---\n", []string{"1:1:" + empty}},
		{"two documents", "model: m\n---\nmodel: n\n", []string{
			`2:1: a second document starts here [write one document; "bakes" holds several bakes in one file]`,
		}},
		{"bad second document", "model: m\n---\nmodel: [\n", []string{"3:0: did not find expected node content"}},
		{"not UTF-8", "model: m\nbase: h\xff", []string{"2:8: byte 0xff is not UTF-8 [save the file as UTF-8]"}},
		{"UTF-16", "\xff\xfem\x00", []string{"1:1: byte 0xff is not UTF-8 [save the file as UTF-8]"}},
		{"control character", "model: m\nbase: é\x01", []string{
			`2:8: character U+0001 is not allowed [write it as an escape in "double quotes"]`,
		}},
		{"C1 control character", "base: \u0085x\u009f", []string{
			`1:9: character U+009F is not allowed [write it as an escape in "double quotes"]`,
		}},
		{"byte order mark inside", "model: m\n\ufeffbase: b", []string{
			`2:1: character U+FEFF is not allowed [write it as an escape in "double quotes"]`,
		}},
		{"tab", "env:\n\tA: b\n", []string{
			"2:0: found character that cannot start any token [indent with spaces, not with tabs]",
		}},
		{"tab in a block", "env:\n  A: b\n \tB: c\n", []string{
			"2:0: found a tab character that violates indentation [indent with spaces, not with tabs]",
		}},
		{"reserved character", "model: m\nbase: @x\n", []string{
			"2:0: found character that cannot start any token [quote a value that starts with @, %, or a backquote]",
		}},
		{"first line", "model: @x\n", []string{
			"1:0: found character that cannot start any token [quote a value that starts with @, %, or a backquote]",
		}},
		{"second colon", "model: m\nbase: a: b\n", []string{
			`2:0: mapping values are not allowed in this context [check the indentation, and quote a value that holds ": "]`,
		}},
		{"end of the file", "[", []string{"1:0: did not find expected node content"}},
		{"open list", "model: m\ntags: [a\nbase: b\n", []string{"2:0: did not find expected ',' or ']'"}},
		{"variable in flow", "model: m\nenv: {A: ${B}}\n", []string{
			"2:0: did not find expected ',' or '}' [quote a value that holds ${...} inside [...] or {...}]",
		}},
		{"list beside keys", "model: m\n- a\n", []string{"2:0: did not find expected key"}},
		{"undefined tag handle", "model: m\nbase: !x!y z\n", []string{"2:0: found undefined tag handle"}},
		{"YAML version", "%YAML 3.0\n---\nmodel: m\n", []string{"1:0: found incompatible YAML document"}},
		{"foreign tags", "model: !!python/name:os.system m\nbase: !local b\nlabels: !!set {a: b}\nenv: {A: !!binary aGk=, B: !!timestamp 2024-01-02}", []string{
			`1:8: tag "!!python/name:os.system" is not supported` + noTag,
			`2:7: tag "!local" is not supported` + noTag,
			`3:9: tag "!!set" is not supported` + noTag,
			`4:10: tag "!!binary" is not supported` + noTag,
			`4:28: tag "!!timestamp" is not supported` + noTag,
		}},
		{"foreign tag of a key", "model: m\nenv: {!x A: b}", []string{`2:7: tag "!x" is not supported` + noTag}},
		{"tags that do not fit", "model: !!int m\nbase: !!seq b\nlabels: !!str {a: b}\ntags: !!map []", []string{
			"1:8: tag !!int does not fit the value",
			"2:7: tag !!seq does not fit the value",
			"3:9: tag !!str does not fit the value",
			"4:7: tag !!map does not fit the value",
		}},
		{"merge key", "model: m\nenv: &e {A: b}\nlabels:\n  <<: *e\n", []string{
			`4:3: merge keys ("<<") are not supported [share keys through defaults, a profile, or an alias for the whole mapping]`,
		}},
		{"unknown alias", "model: *m", []string{"0:0: unknown anchor 'm' referenced"}},
		{"cyclic alias", "model: m\nenv: &e\n  A: *e\n", []string{"3:6: alias *e is part of what it stands for"}},
		{"too deep", strings.Repeat("[", 20_000), []string{"0:0: exceeded max depth of 10000"}},
	})
}

func TestSizeProblems(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&bomb, "a%d: &a%d [%s*a%d]\n", i, i, strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), i-1)
	}
	long := strings.Repeat("x", 1<<19)
	many := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "  k%d: {}\n", i)
		}
		return b.String()
	}
	runProblemTests(t, []problemTest{
		{"file", "model: m\n#" + strings.Repeat("x", 1<<20), []string{"0:0: larger than 1 MiB"}},
		{"alias bomb", bomb.String(), []string{"5:45: more than 100000 values, each use of an alias counted"}},
		{"long aliases", "model: &m " + long + "\nallow: [" + strings.Repeat("*m,", 100) + "]", []string{
			"2:99: more than 16 MiB of text, each use of an alias counted",
		}},
		{"fleet of many values", "defaults:\n  model: m\n  allow: [" + strings.Repeat("a,", 1000) + "]\nbakes:\n" + many(200), []string{
			"3:1811: more than 100000 values in all bakes",
		}},
		{"fleet of long values", "defaults:\n  model: m\n  base: " + long + "\nbakes:\n" + many(200), []string{
			"2:10: more than 16 MiB of text in all bakes",
		}},
	})
}

func TestNearTheLimits(t *testing.T) {
	data := "model: m\nallow: [" + strings.Repeat("a,", 90_000) + "]"
	if got := len(parse(t, data, bakefile.Options{}).Allow); got != 90_000 {
		t.Errorf("%d items, want 90000", got)
	}
}
