// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/internal/spelling"
)

// problems gathers what is wrong with a file.
type problems struct {
	file   string
	list   []bakefile.Problem
	causes []error
}

func (ps *problems) add(line int, message, hint string) {
	ps.list = append(ps.list, bakefile.Problem{Line: line, Message: message, Hint: hint})
}

func (ps *problems) refuse(line int, r refusal) { ps.add(line, r.message(), refusals[r].way) }

// addError adds err, with what it has besides if it is, or wraps, a fault.
func (ps *problems) addError(line int, err error) {
	var f *fault
	if !errors.As(err, &f) {
		f = &fault{}
	}
	ps.add(line, err.Error(), f.hint)
	if f.cause != nil {
		ps.causes = append(ps.causes, f.cause)
	}
}

// err is nil without problems.
func (ps *problems) err() error {
	if len(ps.list) == 0 {
		return nil
	}
	slices.SortStableFunc(ps.list, func(a, b bakefile.Problem) int { return cmp.Compare(a.Line, b.Line) })
	e := &bakefile.Error{File: ps.file, Problems: slices.Compact(ps.list)}
	if len(ps.causes) == 0 {
		return e
	}
	return &causedError{e, ps.causes}
}

// A causedError is an Error that also is what caused its problems.
type causedError struct {
	err    *bakefile.Error
	causes []error
}

func (e *causedError) Error() string   { return e.err.Error() }
func (e *causedError) Unwrap() []error { return append([]error{e.err}, e.causes...) }

// A fault is an error with a remedy, and perhaps a cause that it does not
// print.
type fault struct {
	message, hint string
	cause         error
}

func (f *fault) Error() string { return f.message }

// didYouMean is a hint with the name that word is most likely a slip of, or
// else with the names there are.
func didYouMean(word, what string, names []string) string {
	if name := spelling.Nearest(word, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name)
	}
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s: %s", what, strings.Join(names, ", "))
}

// clip quotes the start of s.
func clip(s string) string {
	const most = 60
	n := 0
	for i := range s {
		if n++; n > most {
			return fmt.Sprintf("%q...", s[:i])
		}
	}
	return fmt.Sprintf("%q", s)
}
