// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// decodeStrict reads a file that is one JSON value of which v knows every key.
func decodeStrict(ts *testscript.TestScript, file string, v any) {
	dec := json.NewDecoder(strings.NewReader(ts.ReadFile(file)))
	dec.DisallowUnknownFields()
	ts.Check(dec.Decode(v))
	if _, err := dec.Token(); err != io.EOF {
		ts.Fatalf("%s holds more than one value", file)
	}
}

func require(ts *testscript.TestScript, ok bool, format string, args ...any) {
	if !ok {
		ts.Fatalf(format, args...)
	}
}

// position is FILE, FILE:LINE or FILE:LINE:COLUMN.
func position(file string, line, column int) string {
	switch {
	case line == 0:
		return file
	case column == 0:
		return fmt.Sprintf("%s:%d", file, line)
	}
	return fmt.Sprintf("%s:%d:%d", file, line, column)
}

var severities = []string{"error", "warning", "note"}

// printFindingsOf reads the JSON of a check, which must be of its form, and
// prints the findings: SEVERITY RULE PLACE, the variable where there is no file,
// after "BAKE: " in a fleet; then how many.
func printFindingsOf(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1, "findings FILE")
	var result struct {
		Findings []struct {
			Bake     string `json:"bake"`
			Rule     string `json:"rule"`
			Severity string `json:"severity"`
			File     string `json:"file"`
			Variable string `json:"variable"`
			Line     int    `json:"line"`
			Column   int    `json:"column"`
			Message  string `json:"message"`
			Hint     string `json:"hint"`
		} `json:"findings"`
		Errors   *int `json:"errors"`
		Warnings *int `json:"warnings"`
	}
	decodeStrict(ts, args[0], &result)
	require(ts, result.Findings != nil && result.Errors != nil && result.Warnings != nil, "findings, errors or warnings is missing")
	n := map[string]int{}
	for _, f := range result.Findings {
		require(ts, f.Rule != "" && f.Message != "" && slices.Contains(severities, f.Severity), "no finding: %+v", f)
		require(ts, f.Line >= 0 && f.Column >= 0 && (f.Line > 0 || f.Column == 0) && (f.File != "" || f.Line == 0), "no place: %+v", f)
		n[f.Severity]++
		at := f.File
		if at == "" {
			at = f.Variable
		}
		if f.Bake != "" {
			fmt.Fprintf(ts.Stdout(), "%s: ", f.Bake)
		}
		fmt.Fprintln(ts.Stdout(), strings.TrimSpace(f.Severity+" "+f.Rule+" "+position(at, f.Line, f.Column)))
	}
	fmt.Fprintf(ts.Stdout(), "%d in all\n", len(result.Findings))
	require(ts, n["error"] == *result.Errors && n["warning"] == *result.Warnings, "counts are %d and %d", *result.Errors, *result.Warnings)
}

// The parts of SARIF 2.1.0 that a check uses: written from the standard, not
// from what writes them. The numbers are its sections.
type (
	sarifFile struct { // 3.13
		Schema  string           `json:"$schema"`
		Version string           `json:"version"`
		Runs    []sarifExecution `json:"runs"`
	}
	sarifExecution struct { // 3.14
		Tool struct {
			Driver struct { // 3.19
				Name           string            `json:"name"`
				Version        string            `json:"version"`
				InformationURI string            `json:"informationUri"`
				Rules          []sarifDescriptor `json:"rules"`
			} `json:"driver"`
		} `json:"tool"`
		ColumnKind string       `json:"columnKind"`
		Results    []sarifEntry `json:"results"`
	}
	sarifDescriptor struct { // 3.49
		ID               string       `json:"id"`
		ShortDescription sarifMessage `json:"shortDescription"`
		HelpURI          string       `json:"helpUri"`
	}
	sarifMessage struct { // 3.11
		Text string `json:"text"`
	}
	sarifEntry struct { // 3.27
		RuleID    string       `json:"ruleId"`
		RuleIndex *int         `json:"ruleIndex"`
		Level     string       `json:"level"`
		Message   sarifMessage `json:"message"`
		Locations []struct {
			Physical struct { // 3.29
				Artifact struct {
					URI string `json:"uri"`
				} `json:"artifactLocation"`
				Region *struct { // 3.30
					StartLine   int `json:"startLine"`
					StartColumn int `json:"startColumn"`
				} `json:"region"`
			} `json:"physicalLocation"`
		} `json:"locations"`
	}
)

// printSARIF reads the SARIF of a check, which must be of its form, and prints
// the results: LEVEL RULE PLACE; then how many.
func printSARIF(ts *testscript.TestScript, neg bool, args []string) {
	want(ts, !neg && len(args) == 1, "sarif FILE")
	var log sarifFile
	decodeStrict(ts, args[0], &log)
	require(ts, log.Version == "2.1.0" && isURL(log.Schema), "version %q, schema %q", log.Version, log.Schema)
	require(ts, len(log.Runs) == 1, "%d runs", len(log.Runs))
	run := log.Runs[0]
	driver := run.Tool.Driver
	require(ts, driver.Name == "crane-bake" && driver.Version != "" && isURL(driver.InformationURI), "driver %+v", driver)
	require(ts, run.ColumnKind == "unicodeCodePoints", "columns are %q", run.ColumnKind)
	var ids, known []string
	for _, r := range driver.Rules {
		ids = append(ids, r.ID)
		require(ts, r.ShortDescription.Text != "" && isURL(r.HelpURI), "rule %+v", r)
	}
	for _, r := range engine.Rules() {
		known = append(known, r.ID)
	}
	require(ts, slices.Equal(ids, known), "rules %v", ids)
	require(ts, run.Results != nil, "no results: a run without findings has an empty list (3.14.23)")
	for _, r := range run.Results {
		require(ts, r.RuleIndex != nil && *r.RuleIndex >= 0 && *r.RuleIndex < len(ids) && ids[*r.RuleIndex] == r.RuleID, "rule %s has another index", r.RuleID)
		require(ts, r.Message.Text != "" && slices.Contains(severities, r.Level), "result %+v", r)
		require(ts, len(r.Locations) == 1, "%d locations", len(r.Locations))
		at := r.Locations[0].Physical
		place := at.Artifact.URI
		u, err := url.Parse(place)
		require(ts, err == nil && place != "" && u.String() == place, "URI %q: %v", place, err)
		if at.Region != nil {
			require(ts, at.Region.StartLine >= 1 && at.Region.StartColumn >= 0, "region %+v", at.Region)
			place = position(place, at.Region.StartLine, at.Region.StartColumn)
		}
		fmt.Fprintf(ts.Stdout(), "%s %s %s\n", r.Level, r.RuleID, place)
	}
	fmt.Fprintf(ts.Stdout(), "%d in all\n", len(run.Results))
}

func isURL(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme == "https" && u.Host != ""
}
