// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

func checkCommand() *command {
	c := &check{}
	return &command{
		name: "check", group: groupBake, args: "[NAME...]",
		short: "Check a bake against the engine contract; touches no registry",
		long: `
Reads what build would read, and reports everything that would keep the engine
from scoring: bindings, model, schemas, streams, attachments, and how they fit
together. The exit code is 3 where there is an error. docs/contract.md explains
every rule.`,
		flags: c.register,
		run:   c.run,
	}
}

// check is the flags of one check.
type check struct {
	what   specFlags
	format string
	strict bool
	notes  bool
}

func (c *check) register(fs *pflag.FlagSet) {
	c.what.registerWhat(fs)
	fs.BoolVar(&c.strict, "strict", false, "exit with 3 for warnings too; secrets in plain text are errors")
	fs.BoolVarP(&c.notes, "verbose", "v", false, "show notes, which never change the verdict, in text, github and gitlab too")
	fs.StringVar(&c.format, "format", "text", "`text|json|sarif|github|gitlab` form of the result")
}

func (c *check) run(ctx context.Context, env *environment, names []string) error {
	write, ok := findingsFormats[c.format]
	if !ok {
		return errUsage("--format %q: want one of %s", c.format, strings.Join(slices.Sorted(maps.Keys(findingsFormats)), ", "))
	}
	host := newHostFS()
	defer host.close()
	bakes, err := c.what.specs(ctx, env, host, names, nil)
	if err != nil {
		return err
	}
	all, verdict, err := c.judge(ctx, bakes)
	if err != nil && bakes[0].Name == "" {
		return err
	}
	if !c.notes && c.format != "json" && c.format != "sarif" {
		all = slices.DeleteFunc(all, func(f finding) bool { return f.Severity == engine.Note })
	}
	if c.format != "text" && c.format != "json" {
		c.locate(all)
	}
	if c.format == "gitlab" {
		if err := fromRoot(env, all); err != nil {
			return err
		}
	}
	// In a fleet, one bake that cannot be checked hides nothing of the others.
	if werr := write(env.stdout, all, host); werr != nil || err != nil {
		return errors.Join(err, werr)
	}
	if verdict != nil {
		return fmt.Errorf("%w: %w", errReported, verdict)
	}
	return nil
}

// judge checks every bake. The error joins why some cannot be checked.
func (c *check) judge(ctx context.Context, bakes []namedSpec) (all []finding, verdict, err error) {
	var broken []error
	for _, one := range bakes {
		plan, err := bake.NewPlan(ctx, one.Spec)
		if err != nil && one.Name != "" {
			err = &bakeError{one.Name, err}
		}
		if err != nil {
			broken = append(broken, err)
			continue
		}
		findings, err := judged(plan, one.Name, c.strict)
		if err != nil {
			verdict = err
		}
		all = append(all, findings...)
	}
	return all, verdict, errors.Join(broken...)
}

// locate places findings that are about no file of their own at the bake file:
// those who read these formats show what stands at a file.
func (c *check) locate(findings []finding) {
	file := c.what.file
	if file == "" && c.what.model == "" {
		file = defaultBakeFile
	}
	for i := range findings {
		if findings[i].File == "" && file != "" {
			findings[i].File = path.Clean(filepath.ToSlash(file))
		}
	}
}

// judged is the findings of a plan, for the bake of that name, graded as
// strictness asks, and its verdict.
func judged(plan *bake.Plan, name string, strict bool) ([]finding, error) {
	err := plan.Verdict(strict)
	graded := plan.Findings()
	var check *bake.CheckError
	if errors.As(err, &check) {
		graded = check.Findings
	}
	return foundIn(name, graded), err
}
