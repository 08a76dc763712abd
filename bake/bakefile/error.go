// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Error is one or more problems of a bake file, in file order.
type Error struct {
	File     string // as it was given to Load or Parse
	Problems []Problem
}

// A Problem is one thing that is wrong with a bake file.
type Problem struct {
	// Line and Column start at 1; columns count characters. Column is 0 where
	// only the line is known, and both are 0 for the file as a whole.
	Line, Column int
	Message      string
	Hint         string // a remedy, or empty
}

// Error gives one line a problem: file:line:column: message. Hints are not
// part of it.
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(e.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		if p.Column > 0 {
			fmt.Fprintf(&b, ":%d", p.Column)
		}
		fmt.Fprintf(&b, ": %s", p.Message)
	}
	return b.String()
}

// A pos is a place in a file; the zero pos is the file as a whole.
type pos struct{ line, column int }

// A fault is an error with a remedy.
type fault struct{ message, hint string }

func (f *fault) Error() string { return f.message }

// problems gathers what is wrong with a file.
type problems []Problem

func (ps *problems) add(at pos, message, hint string) {
	*ps = append(*ps, Problem{Line: at.line, Column: at.column, Message: message, Hint: hint})
}

// addError adds err, with its remedy if it is, or wraps, a fault.
func (ps *problems) addError(at pos, err error) {
	var hint string
	var f *fault
	if errors.As(err, &f) {
		hint = f.hint
	}
	ps.add(at, err.Error(), hint)
}

// err is nil without problems. One that is met several times, through aliases,
// counts once.
func (ps problems) err(file string) error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return &Error{File: file, Problems: slices.Compact(ps)}
}
