// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// A finding is one of a bake, which has a name in a fleet.
type finding struct {
	engine.Finding
	Bake string `json:"bake,omitempty"`
}

// findingsFormats are the forms of a check's result, by the name that --format
// knows.
var findingsFormats = map[string]func(w io.Writer, findings []finding, fsys fs.FS) error{
	"text":   writeText,
	"json":   writeJSON,
	"sarif":  writeSARIF,
	"github": writeGitHub,
	"gitlab": writeGitLab,
}

// counts is how many findings are errors and warnings.
func counts(findings []finding) (errs, warnings int) {
	for _, f := range findings {
		switch f.Severity {
		case engine.Error:
			errs++
		case engine.Warning:
			warnings++
		}
	}
	return errs, warnings
}

// writeText writes the form for people: a line each, the line of the file that
// it is about, a remedy, and a count at the end.
func writeText(w io.Writer, findings []finding, fsys fs.FS) error {
	b := bufio.NewWriter(w)
	for _, f := range findings {
		writeFinding(b, f, fsys)
	}
	errs, warnings := counts(findings)
	fmt.Fprintf(b, "%s, %s\n", plural(errs, "error"), plural(warnings, "warning"))
	return b.Flush()
}

func writeFinding(w io.Writer, f finding, fsys fs.FS) {
	where := printable(place(f))
	if where != "" && !strings.HasPrefix(f.Message, where) {
		where += ": "
	} else {
		where = "" // the message begins with it
	}
	fmt.Fprintf(w, "%s%s %s %s\n", f.label(), f.Severity, f.Rule, printable(where+f.Message))
	if line, ok := sourceLine(fsys, f); ok {
		fmt.Fprintf(w, "    %s\n", line)
		if f.Column > 0 {
			fmt.Fprintf(w, "    %s^\n", indentTo(line, f.Column))
		}
	}
	if f.Hint != "" {
		fmt.Fprintf(w, "  %s\n", printable(f.Hint))
	}
}

// foundIn is what was found in a fleet's bake of that name, or in the only one
// without.
func foundIn(bake string, found []engine.Finding) []finding {
	findings := make([]finding, len(found))
	for i, f := range found {
		findings[i] = finding{f, bake}
	}
	return findings
}

// label begins what is said of a fleet's bake: "NAME: ".
func (f finding) label() string {
	if f.Bake == "" {
		return ""
	}
	return f.Bake + ": "
}

// message is what a finding says, beginning with the bake and the variable that
// it is about.
func message(f finding) string {
	if f.Variable == "" || strings.HasPrefix(f.Message, f.Variable) {
		return f.label() + f.Message
	}
	return f.label() + f.Variable + ": " + f.Message
}

// place is where a finding is: FILE, FILE:LINE or VARIABLE.
func place(f finding) string {
	switch {
	case f.File == "":
		return f.Variable
	case f.Line > 0:
		return fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	return f.File
}

// longestLine bounds what is shown of a file: the rest of a longer line is data
// that nobody reads.
const longestLine = 160

// secretive matches a line that may hold a secret: by the name of what it sets,
// or in an address, USER:PASSWORD@HOST.
var secretive = lazyregexp.New(`(?i)secret|passw|pwd|token|credential|access_?key|api_?key|saml|\S@`)

// sourceLine is the line of the file that a finding is about. A line that may
// hold a secret is not shown, whatever the finding: a descriptor is often one
// line.
func sourceLine(fsys fs.FS, f finding) (string, bool) {
	if fsys == nil || f.File == "" || f.Line == 0 || f.Rule == "SD-54" {
		return "", false
	}
	file, err := fsys.Open(f.File)
	if err != nil {
		return "", false
	}
	defer file.Close()
	lines := bufio.NewScanner(io.LimitReader(file, 1<<20))
	before := "" // the last line that is not blank
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimRight(lines.Text(), "\r")
		blank := strings.TrimSpace(line) == ""
		if n == f.Line {
			named := strings.HasSuffix(strings.TrimSpace(before), ":") && secretive().MatchString(before)
			if blank || len(line) > longestLine || !utf8.ValidString(line) || named || secretive().MatchString(line) {
				return "", false
			}
			return printable(line), true
		}
		if !blank {
			before = line
		}
	}
	return "", false
}

// printable replaces what must not reach a terminal or would break the line.
// Files and their names are by others.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// indentTo is the space in front of a column, with the line's own tabs.
func indentTo(line string, column int) string {
	var b strings.Builder
	n := 1
	for _, r := range line {
		if n >= column {
			break
		}
		n++
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// writeJSON writes one object with the findings and their counts.
func writeJSON(w io.Writer, findings []finding, _ fs.FS) error {
	if findings == nil {
		findings = []finding{}
	}
	errs, warnings := counts(findings)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(struct {
		Findings []finding `json:"findings"`
		Errors   int       `json:"errors"`
		Warnings int       `json:"warnings"`
	}{findings, errs, warnings})
}

// writeGitHub writes workflow commands, which GitHub shows beside the lines of
// a pull request.
func writeGitHub(w io.Writer, findings []finding, _ fs.FS) error {
	for _, f := range findings {
		command := map[engine.Severity]string{engine.Error: "error", engine.Warning: "warning", engine.Note: "notice"}[f.Severity]
		var properties []string
		for _, p := range []struct {
			name, value string
		}{{"file", printable(f.File)}, {"line", positive(f.Line)}, {"col", positive(f.Column)}, {"title", f.Rule}} {
			if p.value != "" {
				properties = append(properties, p.name+"="+escapeProperty(p.value))
			}
		}
		text := message(f)
		text = printable(text)
		if f.Hint != "" {
			text += "\n" + printable(f.Hint)
		}
		if _, err := fmt.Fprintf(w, "::%s %s::%s\n", command, strings.Join(properties, ","), escapeData(text)); err != nil {
			return err
		}
	}
	return nil
}

func positive(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

// The escapes of GitHub's workflow commands.
var (
	escapeData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace
	escapeProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace
)
