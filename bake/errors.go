// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// The kinds of failure that callers branch on. Every error of this package
// that is of such a kind answers to it through errors.Is.
var (
	// ErrNotFound: a base, an image, a tag or an input file is not there.
	ErrNotFound = registry.ErrNotFound
	// ErrDenied: a registry wants (other) credentials, or refuses the request.
	ErrDenied = registry.ErrDenied
	// ErrConflict: a tag exists and may not move.
	ErrConflict = registry.ErrConflict
	// ErrUnavailable: a registry cannot be reached, fails, or limits the rate,
	// after all retries.
	ErrUnavailable = registry.ErrUnavailable
	// ErrIntegrity: content does not match its digest, or an image contradicts
	// itself or the record of its bake.
	ErrIntegrity = registry.ErrIntegrity
	// ErrChanged: a source file changed while it was read.
	ErrChanged = layer.ErrChanged
	// ErrUsage: a Spec, a location or an option makes no sense.
	ErrUsage = errors.New("usage")
)

// usageError is an error of the caller's input that reads as itself.
type usageError struct{ text string }

func (e *usageError) Error() string        { return e.text }
func (e *usageError) Is(target error) bool { return target == ErrUsage }

func usagef(format string, args ...any) error {
	return &usageError{fmt.Sprintf(format, args...)}
}

// integrityError is an ErrIntegrity that is not about a digest, and reads as
// itself.
type integrityError struct{ err error }

func (e *integrityError) Error() string        { return e.err.Error() }
func (e *integrityError) Unwrap() error        { return e.err }
func (e *integrityError) Is(target error) bool { return target == ErrIntegrity }

func integrityf(format string, args ...any) error {
	return &integrityError{fmt.Errorf(format, args...)}
}

// A PartialError says that an image was published in some places before a
// failure: their tags have moved.
type PartialError struct {
	Published []string // locations
	Err       error
}

// Error is that of Err with the locations.
func (e *PartialError) Error() string {
	return e.Err.Error() + " (published before that: " + strings.Join(e.Published, ", ") + ")"
}

// Unwrap returns Err.
func (e *PartialError) Unwrap() error { return e.Err }

// partly is err, as a PartialError where something was published.
func partly(published []string, err error) error {
	if len(published) == 0 {
		return err
	}
	return &PartialError{published, err}
}

// A CheckError says that a bake breaks the engine contract.
type CheckError struct {
	// Findings holds every finding, errors or not, in the order of the check.
	Findings []engine.Finding
}

// Error counts the findings; what they are is in Findings.
func (e *CheckError) Error() string {
	n := map[engine.Severity]int{}
	for _, f := range e.Findings {
		n[f.Severity]++
	}
	if n[engine.Error] == 0 {
		return "the check found " + count(n[engine.Warning], "warning") + ", which strictness forbids"
	}
	return "the check found " + count(n[engine.Error], "error") + " and " + count(n[engine.Warning], "warning")
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// fileError is an input file that cannot be baked.
type fileError struct {
	what string // the file and its part, "model model.py3"
	err  error
}

func (e *fileError) Error() string {
	path, ok := e.err.(*fs.PathError)
	switch {
	case !ok:
		return e.what + ": " + e.err.Error()
	// os.Root has no error value for this (go.dev/issue/67002).
	case strings.Contains(path.Err.Error(), "path escapes from parent"):
		return e.what + ": symbolic link leads outside: " + path.Err.Error()
	}
	return e.what + ": " + path.Err.Error() // without the name of the system call
}

func (e *fileError) Unwrap() error { return e.err }
func (e *fileError) Is(target error) bool {
	return target == ErrNotFound && errors.Is(e.err, fs.ErrNotExist)
}

// sideError says on which side of a bake an error arose.
type sideError struct {
	side string // "base docker.io/fastscore/engine:latest"
	err  error
}

func (e *sideError) Error() string { return e.side + ": " + e.err.Error() }
func (e *sideError) Unwrap() error { return e.err }

// Is counts a missing file as not found, like a missing image.
func (e *sideError) Is(target error) bool {
	return target == ErrNotFound && errors.Is(e.err, fs.ErrNotExist)
}
