// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/spelling"
)

// knownRules refuses rules that the contract does not have: a slip would allow
// nothing, silently.
func knownRules(allow []string) error {
	var known []string
	for _, r := range engine.Rules() {
		known = append(known, r.ID)
	}
	for _, rule := range allow {
		if slices.Contains(known, rule) {
			continue
		}
		if near := spelling.Nearest(rule, known); near != "" {
			return usagef("allow: there is no rule %s; did you mean %s?", rule, near)
		}
		return usagef("allow: there is no rule %s", rule)
	}
	return nil
}

// allowed turns findings of the rules in allow into notes.
func allowed(findings []engine.Finding, allow []string) []engine.Finding {
	for i, f := range findings {
		if slices.Contains(allow, f.Rule) && !slices.Contains(impossible, f.Rule) && f.Severity > engine.Note {
			findings[i].Message += " (allowed)"
			findings[i].Severity = engine.Note
		}
	}
	return findings
}

// Findings is what the engine contract has to say about the bake, in the order
// of the check; those of allowed rules are notes.
func (p *Plan) Findings() []engine.Finding { return slices.Clone(p.findings) }

// secretRule is the rule about secrets in plain text.
const secretRule = "SD-54"

// Verdict is nil, or a CheckError where a finding forbids the bake: an error,
// or with strict a warning too. With strict, a secret in plain text is an
// error.
func (p *Plan) Verdict(strict bool) error { return verdict(p.findings, strict) }

// possible is nil, or a CheckError where the bake cannot be expressed.
func (p *Plan) possible() error { return possible(p.findings) }

// permitted is nil, or a CheckError where the bake must not begin.
func (p *Plan) permitted(opts Options) error {
	if err := p.possible(); err != nil || opts.NoCheck {
		return err
	}
	return p.Verdict(opts.Strict)
}

func verdict(findings []engine.Finding, strict bool) error {
	limit := engine.Error
	if strict {
		limit = engine.Warning
	}
	if !slices.ContainsFunc(findings, func(f engine.Finding) bool { return f.Severity >= limit }) {
		return nil
	}
	findings = slices.Clone(findings)
	for i, f := range findings {
		if strict && f.Rule == secretRule && f.Severity == engine.Warning {
			findings[i].Severity = engine.Error
		}
	}
	return &CheckError{Findings: findings}
}

// impossible is the rules that even a bake without a check obeys: their
// variables would not say what the Spec says, or a file would be missing.
var impossible = []string{"ENV-02", "ENV-04", "ENV-05", "ENV-07", "ENV-09", "ENV-17"}

func possible(findings []engine.Finding) error {
	for _, f := range findings {
		if f.Severity == engine.Error && slices.Contains(impossible, f.Rule) {
			return &CheckError{Findings: []engine.Finding{f}}
		}
	}
	return nil
}
