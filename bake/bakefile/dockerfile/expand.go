// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/moby/buildkit/frontend/dockerfile/shell"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// lookup gives a variable's value. An error is about one that should have a
// value and has none.
type lookup func(name string) (value string, ok bool, err error)

// An expander expands variables in words, up to maxText bytes in all.
type expander struct {
	lex  *shell.Lex // of instructions
	text *shell.Lex // of here-documents
	left int
}

func newExpander(escape rune) *expander {
	x := &expander{lex: shell.NewLex(escape), text: shell.NewLex('\\'), left: maxText}
	x.text.SkipProcessQuotes = true
	return x
}

// word expands a word and takes its quotes off.
func (x *expander) word(s string, l lookup) (string, error) {
	r, err := x.process(x.lex, s, l)
	return r.Result, err
}

// words is word for one that becomes a list.
func (x *expander) words(s string, l lookup) ([]string, error) {
	r, err := x.process(x.lex, s, l)
	return r.Words, err
}

// document expands the content of a here-document.
func (x *expander) document(s string, l lookup) (string, error) {
	r, err := x.process(x.text, s, l)
	return r.Result, err
}

var errTooLong = errors.New("too long after expansion")

func (x *expander) process(lex *shell.Lex, s string, l lookup) (shell.ProcessWordResult, error) {
	g := getter{lookup: l, left: min(x.left, patternLimit(s))}
	r, err := lex.ProcessWordWithMatches(s, &g)
	switch {
	case g.err != nil:
		return shell.ProcessWordResult{}, g.err
	case g.over || len(r.Result) > x.left:
		return shell.ProcessWordResult{}, fmt.Errorf("%s: %w", clip(s), errTooLong)
	case err != nil:
		err = root(err)
		if strings.ContainsRune(err.Error(), utf8.RuneError) { // the end of the word, as the lexer prints it
			err = errors.New("syntax error: missing '}'")
		}
		return shell.ProcessWordResult{}, fmt.Errorf("%s: %w", clip(s), err)
	}
	x.left -= len(r.Result)
	return r, nil
}

// A getter hands values to the lexer, of left bytes in all.
type getter struct {
	lookup lookup
	left   int
	over   bool
	err    error
}

func (g *getter) Get(name string) (string, bool) {
	v, ok, err := g.lookup(name)
	if err != nil && g.err == nil {
		g.err = err
	}
	if len(v) > g.left {
		g.over = true
		return "", ok
	}
	g.left -= len(v)
	return v, ok
}

func (g *getter) Keys() []string { return nil }

// patterned and substituted find what begins ${NAME#PATTERN}, with %, / and //
// likewise, and of these what may be longer than its parts.
var (
	patterned   = lazyregexp.New(`\$\{(?:[\pL\p{Nd}_]*|[@*#?$!-])[#%/]`)
	substituted = lazyregexp.New(`\$\{(?:[\pL\p{Nd}_]*|[@*#?$!-])/`)
)

// patternLimit is how many bytes of values a word may take in. Patterns cost
// the product of the lengths of pattern and value, and each substitution can
// multiply the length of what it puts in by that of its value.
func patternLimit(word string) int {
	const most = 1024
	if !patterned().MatchString(word) {
		return maxText
	}
	if len(word) > most {
		return -1
	}
	n := len(substituted().FindAllStringIndex(word, -1))
	if n == 0 {
		return most
	}
	return min(most, int(math.Pow(float64(maxText/len(word)), 1/float64(n))))
}
