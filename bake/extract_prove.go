// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"slices"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// prove bakes the spec on the image's own base, and reports whether that gives
// the image's digest. What the check holds against the bake, it allows.
func (x *extraction) prove(ctx context.Context, spec *Spec) (bool, error) {
	plan, err := NewPlan(ctx, *spec)
	if err != nil {
		return x.unproven(ctx, err)
	}
	var check *CheckError
	if errors.As(plan.Verdict(false), &check) {
		spec.Allow = rulesToAllow(check.Findings)
	}
	if x.below == nil {
		x.note("no record tells all of its bake: a build gives another digest")
		return false, nil
	}
	image, err := Build(x.below, plan)
	if err != nil {
		return x.unproven(ctx, err)
	}
	a, err := image.assemble(ctx)
	if err != nil {
		return x.unproven(ctx, err)
	}
	_, saved := x.img.source.(*dockerSource)
	switch {
	case a.desc.Digest == x.img.desc.Digest:
		return true, nil
	case saved:
		x.note("an archive of docker save does not keep the image's digest: whether a build gives it again is not known")
	case x.foreign():
		x.note("its layers were not made by crane-bake: a build gives another digest")
	default:
		x.note("a build gives another digest: its record does not tell all of its bake")
	}
	return false, nil
}

// unproven is for a bake that cannot be made.
func (x *extraction) unproven(ctx context.Context, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, err
	}
	x.note("a build fails: %v", err)
	return false, nil
}

// rulesToAllow is the rules of errors that a bake can be made in spite of.
func rulesToAllow(findings []engine.Finding) []string {
	rules := map[string]bool{}
	for _, f := range findings {
		if f.Severity == engine.Error && !slices.Contains(impossible, f.Rule) {
			rules[f.Rule] = true
		}
	}
	return sortedKeys(rules)
}
