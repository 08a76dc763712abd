// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"io"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// The parts of a SARIF 2.1.0 log that a check fills in (OASIS Standard, 27
// March 2020).
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		InformationURI string      `json:"informationUri"`
		Version        string      `json:"version"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID               string    `json:"id"`
		ShortDescription sarifText `json:"shortDescription"`
		HelpURI          string    `json:"helpUri"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
)

const projectURL = "https://github.com/crane-bake/crane-bake"

// writeSARIF writes a SARIF log. A finding that is about no file is placed at
// the directory, because every result needs a location.
func writeSARIF(w io.Writer, findings []finding, _ fs.FS) error {
	rules := engine.Rules()
	driver := sarifDriver{Name: "crane-bake", InformationURI: projectURL, Version: version(), Rules: make([]sarifRule, len(rules))}
	for i, r := range rules {
		driver.Rules[i] = sarifRule{ID: r.ID, ShortDescription: sarifText{r.Summary}, HelpURI: projectURL + "/blob/main/docs/contract.md#" + strings.ToLower(r.ID)}
	}
	results := make([]sarifResult, 0, len(findings))
	for _, f := range findings {
		text := message(f)
		if f.Hint != "" {
			text += ". " + f.Hint
		}
		at := sarifPhysical{Artifact: sarifArtifact{URI: artifactURI(f.File)}}
		if f.Line > 0 {
			at.Region = &sarifRegion{StartLine: f.Line, StartColumn: f.Column}
		}
		results = append(results, sarifResult{
			RuleID:    f.Rule,
			RuleIndex: slices.IndexFunc(rules, func(r engine.Rule) bool { return r.ID == f.Rule }),
			Level:     f.Severity.String(),
			Message:   sarifText{text},
			Locations: []sarifLocation{{at}},
		})
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{{Tool: sarifTool{driver}, ColumnKind: "unicodeCodePoints", Results: results}},
	})
}

// artifactURI is a file's name as a URI, or as a relative reference where the
// name is relative.
func artifactURI(file string) string {
	u := url.URL{Path: path.Clean(file)}
	if path.IsAbs(file) {
		u.Scheme = "file"
	}
	return u.String()
}
