// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A file may have any name, and so may what a finding quotes.
var oddFinding = engine.Finding{
	Rule: "SD-06", Severity: engine.Error,
	File: "a,b:100%\r\n::error::c\x1b.json", Line: 2, Column: 3,
	Message: "100%, a:b\r\n::error::c", Hint: "d",
}

func TestGitHubEscapes(t *testing.T) {
	for name, c := range map[string]struct {
		finding engine.Finding
		bake    string
		want    string
	}{
		"all": {oddFinding, "", "::error file=a%2Cb%3A100%25\ufffd\ufffd%3A%3Aerror%3A%3Ac\ufffd.json,line=2,col=3,title=SD-06" +
			"::100%25, a:b\ufffd\ufffd::error::c%0Ad"},
		"no file":            {engine.Finding{Rule: "ENV-18", Message: "m"}, "", "::notice title=ENV-18::m"},
		"no column":          {engine.Finding{Rule: "M-05", Severity: engine.Warning, File: "f", Line: 7, Message: "m"}, "", "::warning file=f,line=7,title=M-05::m"},
		"variable":           {engine.Finding{Rule: "X-04", Variable: "STREAMS", Message: "m"}, "", "::notice title=X-04::STREAMS: m"},
		"variable, once":     {engine.Finding{Rule: "ENV-08", Variable: "STREAMS", Message: "STREAMS: m"}, "", "::notice title=ENV-08::STREAMS: m"},
		"of a fleet":         {engine.Finding{Rule: "X-04", Variable: "STREAMS", Message: "m"}, "a", "::notice title=X-04::a: STREAMS: m"},
		"variable in a file": {engine.Finding{Rule: "X-04", Variable: "STREAMS", File: "f", Message: "m"}, "", "::notice file=f,title=X-04::STREAMS: m"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			if err := writeGitHub(&b, []finding{{c.finding, c.bake}}, nil); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want+"\n", b.String()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTextIsSafe(t *testing.T) {
	var b strings.Builder
	file := "a\r\nb\x1b[31m"
	fsys := fstest.MapFS{}
	if err := writeText(&b, []finding{{Finding: engine.Finding{Rule: "M-05", Severity: engine.Error, File: file, Line: 1, Message: "m"}}}, fsys); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("error M-05 a��b�[31m:1: m\n1 error, 0 warnings\n", b.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestSourceLine(t *testing.T) {
	for name, c := range map[string]struct {
		text         string
		line, column int
		want         string // line and caret; empty is that nothing is shown
	}{
		"first column":    {"abc\n", 1, 1, "    abc\n    ^\n"},
		"no column":       {"abc\n", 1, 0, "    abc\n"},
		"after the end":   {"abc", 1, 9, "    abc\n       ^\n"},
		"tabs":            {"\ta\tbc", 1, 4, "    \ta\tbc\n    \t \t^\n"},
		"characters":      {"äöü\tß", 1, 5, "    äöü\tß\n       \t^\n"},
		"no such line":    {"abc\n", 3, 1, ""},
		"blank":           {"a\n \t\nb", 2, 1, ""},
		"160 bytes":       {strings.Repeat("x", 160), 1, 1, "    " + strings.Repeat("x", 160) + "\n    ^\n"},
		"161 bytes":       {strings.Repeat("x", 161), 1, 1, ""},
		"after 10 MB":     {strings.Repeat("x", 10<<20) + "\nabc", 2, 1, ""},
		"no UTF-8":        {"a\xffb", 1, 1, ""},
		"escape sequence": {"a\x1b[31mb", 1, 3, "    a�[31mb\n      ^\n"},
		"key":             {`"SecretAccessKey": "x"`, 1, 1, ""},
		"any case":        {`"PASSWORD": "x"`, 1, 1, ""},
		"connection":      {`"Driver=x;Pwd=y"`, 1, 1, ""},
		"address":         {`"kafka://user:x@host"`, 1, 1, ""},
		"decorator":       {"@cache", 1, 1, "    @cache\n    ^\n"},
		"value below key": {"\"Password\":\n\n  \"x\"", 3, 1, ""},
		"line below":      {"\"Password\": \"x\",\n  \"Loop\": 1", 2, 3, "      \"Loop\": 1\n      ^\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			fsys := fstest.MapFS{"f": {Data: []byte(strings.ReplaceAll(c.text, "\n", "\r\n"))}}
			writeFinding(&b, finding{Finding: engine.Finding{Rule: "SD-04", File: "f", Line: c.line, Column: c.column, Message: "m"}}, fsys)
			_, shown, _ := strings.Cut(b.String(), "\n")
			if diff := cmp.Diff(c.want, shown); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestArtifactURI(t *testing.T) {
	for file, want := range map[string]string{
		"":                  ".",
		"model.py3":         "model.py3",
		"../d/./model.py3":  "../d/model.py3",
		"/d/model.py3":      "file:///d/model.py3",
		"my model, 100%.py": "my%20model,%20100%25.py",
		"a:b":               "./a:b",
		"ä?#":               "%C3%A4%3F%23",
	} {
		if got := artifactURI(file); got != want {
			t.Errorf("artifactURI(%q) = %q, want %q", file, got, want)
		}
	}
}
