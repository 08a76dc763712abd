// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// maxAlike is how many findings of one rule a page keeps. A broken file of
// 10 MB must not give a million of them.
const maxAlike = 20

// A page gathers the findings about one file.
type page struct {
	name   string // what findings call the file
	found  []Finding
	count  map[string]int // by rule
	failed bool           // an error was found
}

func newPage(name string) *page {
	return &page{name: name, count: make(map[string]int)}
}

// add reports f about the file as a whole.
func (p *page) add(f Finding) { p.onLine(0, 0, f) }

// onLine reports f at a line and column, 1-based; 0 is unknown.
func (p *page) onLine(line, column int, f Finding) {
	if p.countUp(f) {
		p.put(line, column, f)
	}
}

// put keeps a finding that was counted.
func (p *page) put(line, column int, f Finding) {
	f.File, f.Line, f.Column = p.name, line, column
	p.found = append(p.found, f)
}

// at reports f where v stands, or about the file as a whole if v is absent.
func (p *page) at(v jsonpos.Value, f Finding) {
	// Finding a place costs a pass over the text before it.
	if p.countUp(f) {
		line, column := v.Position()
		p.put(line, column, f)
	}
}

// countUp tells whether f is one of the first of its rule.
func (p *page) countUp(f Finding) bool {
	if f.Severity == Error {
		p.failed = true
	}
	p.count[f.Rule]++
	return p.count[f.Rule] <= maxAlike
}

// enough tells whether the page has all the findings of a rule that it keeps,
// and then counts one more: it need not be put into words. The rule must have
// one severity.
func (p *page) enough(r ruleID) bool {
	id := ruleTable[r].ID
	if p.count[id] < maxAlike {
		return false
	}
	p.count[id]++
	return true
}

// findings are those of the page; the last one of a rule that had more says
// how many.
func (p *page) findings() []Finding {
	last := make(map[string]int)
	for i, f := range p.found {
		last[f.Rule] = i
	}
	for rule, i := range last {
		if extra := p.count[rule] - maxAlike; extra > 0 {
			p.found[i].Message += fmt.Sprintf(" (and %d more like it)", extra)
		}
	}
	return p.found
}
