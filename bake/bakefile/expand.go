// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// A template is a value with variables, in the syntax of the Compose
// specification's interpolation.
type template []part

// A part is a literal, or else a variable.
type part struct {
	literal string
	name    string
	op      string // what follows the name: "", or one of operators
	arg     template
}

// operators, longest first.
var operators = []string{":-", ":?", ":+", "-", "?", "+"}

// maxNesting bounds defaults within defaults.
const maxNesting = 20

// constant tells whether t has no variables.
func (t template) constant() bool {
	for _, p := range t {
		if p.name != "" {
			return false
		}
	}
	return true
}

func parseTemplate(s string) (template, error) {
	p := templateParser{rest: s}
	return p.template(0)
}

type templateParser struct{ rest string }

// template reads up to the end, or in a variable up to its closing brace.
func (p *templateParser) template(depth int) (template, error) {
	stops := "$"
	if depth > 0 {
		stops = "$}"
	}
	var t template
	for p.rest != "" {
		i := strings.IndexAny(p.rest, stops)
		if i < 0 {
			i = len(p.rest)
		}
		if i > 0 {
			t = append(t, part{literal: p.rest[:i]})
			p.rest = p.rest[i:]
			continue
		}
		if p.rest[0] == '}' {
			break
		}
		v, err := p.dollar(depth)
		if err != nil {
			return nil, err
		}
		t = append(t, v)
	}
	return t, nil
}

// dollar reads $$, $NAME or ${...}.
func (p *templateParser) dollar(depth int) (part, error) {
	all := p.rest
	p.rest = p.rest[1:]
	if strings.HasPrefix(p.rest, "$") {
		p.rest = p.rest[1:]
		return part{literal: "$"}, nil
	}
	if strings.HasPrefix(p.rest, "{") {
		p.rest = p.rest[1:]
		return p.braced(all, depth)
	}
	name := p.name()
	if name == "" {
		return part{}, &fault{`"$" starts no variable`, "write $$ for a dollar"}
	}
	return part{name: name}, nil
}

// braced reads NAME, an operator with its argument, and the closing brace of
// what starts as all.
func (p *templateParser) braced(all string, depth int) (part, error) {
	if depth == maxNesting {
		return part{}, fmt.Errorf("more than %d variables within each other", maxNesting)
	}
	v := part{name: p.name()}
	if v.name == "" {
		return part{}, &fault{fmt.Sprintf("%s is no variable: want a name after ${", clip(all)), "write $${ for a dollar and a brace"}
	}
	for _, op := range operators {
		if strings.HasPrefix(p.rest, op) {
			v.op, p.rest = op, p.rest[len(op):]
			break
		}
	}
	if v.op != "" {
		arg, err := p.template(depth + 1)
		if err != nil {
			return part{}, err
		}
		v.arg = arg
	}
	switch {
	case p.rest == "":
		return part{}, fmt.Errorf("%s has no closing brace", clip(all))
	case p.rest[0] != '}':
		return part{}, &fault{
			fmt.Sprintf("%s is no variable: want } or an operator after %s", clip(all), v.name),
			"operators are :- - :? ? :+ +",
		}
	}
	p.rest = p.rest[1:]
	return v, nil
}

func (p *templateParser) name() string {
	i := 0
	for i < len(p.rest) && nameByte(p.rest[i], i == 0) {
		i++
	}
	name := p.rest[:i]
	p.rest = p.rest[i:]
	return name
}

func nameByte(c byte, first bool) bool {
	return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || !first && '0' <= c && c <= '9'
}

// clip quotes the start of s.
func clip(s string) string {
	const most = 40
	if n := 0; len(s) > most {
		for i := range s {
			if n++; n > most {
				return fmt.Sprintf("%q...", s[:i])
			}
		}
	}
	return fmt.Sprintf("%q", s)
}

var errTooLong = errors.New("too long after expansion")

// expand gives t's text, of at most limit bytes. Arguments that are not used
// are not expanded.
func (t template) expand(lookup func(string) (string, bool), limit int) (string, error) {
	var b strings.Builder
	for _, p := range t {
		s := p.literal
		if p.name != "" {
			var err error
			if s, err = p.expand(lookup, limit-b.Len()); err != nil {
				return "", err
			}
		}
		if b.Len()+len(s) > limit {
			return "", errTooLong
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

// expand gives the text of a variable.
func (p part) expand(lookup func(string) (string, bool), limit int) (string, error) {
	var value string
	var set bool
	if lookup != nil {
		value, set = lookup(p.name)
	}
	if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
		return "", fmt.Errorf("variable %q is not UTF-8 text", p.name)
	}
	op, colon := strings.CutPrefix(p.op, ":")
	has := set && !(colon && value == "")
	switch {
	case op == "+" && !has:
		return "", nil
	case op == "+" || op == "-" && !has:
		return p.arg.expand(lookup, limit)
	case op == "?" && !has:
		why, err := p.arg.expand(lookup, limit)
		if err != nil {
			return "", err
		}
		if why != "" {
			why = ": " + why
		}
		return "", fmt.Errorf("variable %q is required%s", p.name, why)
	case !set:
		return "", &fault{
			fmt.Sprintf("variable %q is not set", p.name),
			fmt.Sprintf("set it, or write ${%s:-} for an empty default", p.name),
		}
	}
	return value, nil
}
