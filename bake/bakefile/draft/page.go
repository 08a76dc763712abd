// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// A page is the text of a bake file in the making.
type page struct {
	text      strings.Builder
	lines     int
	questions []Question
}

// line adds one line.
func (p *page) line(format string, args ...any) {
	fmt.Fprintf(&p.text, format+"\n", args...)
	p.lines++
}

// ask adds a line that is left to fill in; comment is how it begins.
func (p *page) ask(comment, key, question string) {
	p.line("%s%s: FILE  # %s", comment, key, question)
	p.questions = append(p.questions, Question{p.lines, question})
}

// plainScalar is what needs no quotes in YAML, whatever stands around it.
var plainScalar = lazyregexp.New(`^[A-Za-z0-9_./][A-Za-z0-9_./+-]*$`)

// key is s as a key in YAML; values also escape what would expand.
func key(s string) string {
	switch strings.ToLower(s) {
	case "null", "": // the only words that bake files do not read as text
	default:
		if plainScalar().MatchString(s) {
			return s
		}
	}
	return strconv.Quote(s) // of printable text, which YAML reads the same
}

func value(s string) string { return key(strings.ReplaceAll(s, "$", "$$")) }

// list is names on one line, the first few of many.
func list(names []string) string {
	const most = 12
	if extra := len(names) - most; extra > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), extra)
	}
	return strings.Join(names, ", ")
}
