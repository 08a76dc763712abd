// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Severity orders findings: Note < Warning < Error.
type Severity int

const (
	// Note never changes a verdict.
	Note Severity = iota
	// Warning is something that is probably not meant.
	Warning
	// Error is a bake that does not work.
	Error
)

var severityNames = [...]string{Note: "note", Warning: "warning", Error: "error"}

// String is "note", "warning" or "error".
func (s Severity) String() string {
	if s < Note || s > Error {
		return fmt.Sprintf("Severity(%d)", int(s))
	}
	return severityNames[s]
}

// MarshalText writes what String says; a severity that is none of the
// constants is an error.
func (s Severity) MarshalText() ([]byte, error) {
	if s < Note || s > Error {
		return nil, fmt.Errorf("severity %d: want note, warning or error", int(s))
	}
	return []byte(severityNames[s]), nil
}

// UnmarshalText reads "note", "warning" or "error".
func (s *Severity) UnmarshalText(text []byte) error {
	i := slices.Index(severityNames[:], string(text))
	if i < 0 {
		return fmt.Errorf("severity %q: want note, warning or error", text)
	}
	*s = Severity(i)
	return nil
}

// Finding is one thing the contract has to say about a bake.
type Finding struct {
	Rule     string   `json:"rule"` // "ENV-06"; one of Rules
	Severity Severity `json:"severity"`
	// File is the user's name of the file, else its in-image path; empty where
	// Variable says it.
	File string `json:"file,omitempty"`
	// Variable is MODEL, SCHEMAS, STREAMS, ATTACHMENTS or CONNECT_PREFIX.
	Variable string `json:"variable,omitempty"`
	// Line and Column are 1-based and count characters; 0 is unknown.
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// says starts a finding of the rule, with the severity that the table gives
// it. Every finding begins here, so none has a rule that the table lacks.
func (r ruleID) says(format string, args ...any) Finding {
	rule := ruleTable[r]
	return Finding{Rule: rule.ID, Severity: rule.Severity, Message: printable(fmt.Sprintf(format, args...))}
}

// printable replaces what must not reach a terminal or would break the line.
// Messages name files, types and values that others wrote.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// as changes the severity, where the table lists s for the finding's rule.
func (f Finding) as(s Severity) Finding {
	for _, rule := range ruleTable {
		if rule.ID == f.Rule && slices.Contains(rule.also, s) {
			f.Severity = s
		}
	}
	return f
}

func (f Finding) of(variable string) Finding {
	f.Variable = variable
	return f
}

func (f Finding) hint(format string, args ...any) Finding {
	f.Hint = printable(fmt.Sprintf(format, args...))
	return f
}

// from names the user's own file, if the finding is about one.
func (f Finding) from(file *File) Finding {
	if file != nil && file.Source != "" {
		f.File = file.Source
	}
	return f
}

func (f Finding) in(file string) Finding {
	f.File = file
	return f
}
