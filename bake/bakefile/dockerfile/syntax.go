// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// maxSyntaxErrors bounds how often a file is read: the parser stops at its
// first error.
const maxSyntaxErrors = 20

// What can be within what is like it.
var (
	trigger = lazyregexp.New(`(?i)onbuild`)
	operand = lazyregexp.New(`\$\{(?:[\pL\p{Nd}_]*|[@*#?$!-])[^}\pL\p{Nd}_]`)
)

// readSyntax parses data. It returns nil where nothing can be said about single
// instructions.
func readSyntax(data []byte, ps *problems) *parser.Result {
	if !checkText(data, ps) || !checkDirectives(data, ps) {
		return nil
	}
	last := 0
	for range maxSyntaxErrors {
		result, err := parser.Parse(bytes.NewReader(data))
		if err == nil {
			return result
		}
		from, to := linesOf(err)
		if blank(data) {
			if len(ps.list) == 0 {
				ps.add(0, "the file has no instructions", "")
			}
			return nil
		}
		ps.add(from, root(err).Error(), "")
		if from <= last {
			return nil
		}
		// Without the lines of this error, the parser gets to the next one.
		last, data = from, without(data, from, to)
	}
	return nil
}

// checkText refuses what the parser should not see: it complains about bytes
// on the standard error, cannot go on after a long line, and takes quadratic
// time for what is nested.
func checkText(data []byte, ps *problems) bool {
	line := func(offset int) int { return bytes.Count(data[:offset], []byte("\n")) + 1 }
	switch {
	case len(data) > maxSize:
		ps.add(0, fmt.Sprintf("the file is larger than %d bytes", maxSize), "")
	case bytes.Count(data, []byte("\n")) > maxLines:
		ps.add(0, fmt.Sprintf("the file has more than %d lines", maxLines), "")
	case bytes.IndexByte(data, 0) >= 0:
		ps.add(line(bytes.IndexByte(data, 0)), "the file is not text: it has a NUL byte", "")
	case !utf8.Valid(data):
		ps.add(line(invalid(data)), "the file is not UTF-8 text", "")
	case len(operand().FindAllIndex(data, maxOperands+1)) > maxOperands:
		ps.add(0, fmt.Sprintf("the file has more than %d of ${NAME:-...} and the like", maxOperands), "")
	case len(trigger().FindAllIndex(data, maxTriggers+1)) > maxTriggers:
		ps.add(0, fmt.Sprintf("the file has more than %d ONBUILD", maxTriggers), "")
	}
	n := 0
	for l := range bytes.Lines(data) {
		if n++; len(l) >= maxLine {
			ps.add(n, fmt.Sprintf("the line is longer than %d bytes", maxLine), "")
		}
	}
	return len(ps.list) == 0
}

// invalid is the offset of the first byte that is not UTF-8.
func invalid(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return len(data)
}

// checkDirectives checks the comments at the top that mean something.
func checkDirectives(data []byte, ps *problems) bool {
	var p parser.DirectiveParser
	n := 0
	for l := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		n++
		d, err := p.ParseLine(bytes.TrimSpace(l))
		if err != nil {
			ps.add(n, err.Error(), "")
			return false
		}
		if d == nil {
			break
		}
		switch {
		case d.Name == "syntax" && !ownFrontend(d.Value):
			ps.refuse(n, frontend)
		case d.Name == "escape" && d.Value != "`" && d.Value != `\`:
			ps.add(n, fmt.Sprintf("escape is %s, want \\ or `", clip(d.Value)), "")
			return false
		}
	}
	return true
}

// ownFrontend reports whether image is Docker's own frontend, or a mirror's
// copy of it, whose language this is.
func ownFrontend(image string) bool {
	image, _, _ = strings.Cut(image, " ")
	image, _, _ = strings.Cut(image, "@")
	name, _, _ := strings.Cut(path.Base(image), ":")
	return name == "dockerfile" || name == "dockerfile-upstream"
}

// linesOf is where the parser found an error.
func linesOf(err error) (from, to int) {
	var l *parser.LocationError
	if !errors.As(err, &l) || len(l.Locations) == 0 || len(l.Locations[0]) == 0 {
		return 0, 0
	}
	ranges := l.Locations[0]
	return ranges[0].Start.Line, ranges[len(ranges)-1].Start.Line
}

// root is err without what was wrapped around it.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// without empties lines from to to, counted from 1.
func without(data []byte, from, to int) []byte {
	var out []byte
	n := 0
	for l := range bytes.Lines(data) {
		if n++; n >= from && n <= to {
			l = []byte("\n")
		}
		out = append(out, l...)
	}
	return out
}

// blank reports whether data has nothing but comments.
func blank(data []byte) bool {
	for l := range bytes.Lines(bytes.TrimPrefix(data, []byte("\ufeff"))) {
		l = bytes.TrimSpace(l)
		if len(l) > 0 && l[0] != '#' {
			return false
		}
	}
	return true
}
