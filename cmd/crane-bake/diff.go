// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
)

func diffCommand() *command {
	d := &diff{}
	return &command{
		name: "diff", group: groupLook, args: "A B",
		short: "Compare what two images bake",
		long: `
Shows how the bake in image B differs from that in image A: base, bindings, files
by content, environment, labels, layers. A schema that changed is judged: can data
written with one still be read with the other? For an input slot, what was written
with A's schema is read with B's; for an output slot, what B writes is read with
A's. Between images with records of their bakes, a few kilobytes are read.

  crane-bake diff registry.example.com/prod/scorer:v1 registry.example.com/team/scorer:v2
  crane-bake diff --exit-code A B || echo they differ

With --exit-code, the exit code is 3 where the images differ in anything.`,
		flags: d.register,
		run:   d.run,
	}
}

// diff is the flags of one comparison.
type diff struct {
	remote    remoteFlags
	format    string
	platforms []string
	exitCode  bool
}

func (d *diff) register(fs *pflag.FlagSet) {
	fs.BoolVar(&d.exitCode, "exit-code", false, "exit with 3 where the images differ")
	fs.StringArrayVar(&d.platforms, "platform", nil, "`OS/ARCH[/VARIANT]` compare the images for this platform; repeatable; default all")
	fs.StringVar(&d.format, "format", "text", "`text|json` result")
	d.remote.register(fs)
}

// errDifferent is for diff --exit-code.
var errDifferent = errors.New("the images differ")

func (d *diff) run(ctx context.Context, env *environment, args []string) error {
	switch {
	case len(args) != 2:
		return withHint(errUsage("diff: want two images, have %d", len(args)), "see crane-bake help diff")
	case d.format != "text" && d.format != "json":
		return errUsage("--format %q: want text or json", d.format)
	}
	remote, err := d.remote.remote(env)
	if err != nil {
		return err
	}
	found, err := bake.Compare(ctx, args[0], args[1], remote, bake.CompareOptions{Platforms: d.platforms})
	if err != nil {
		return err
	}
	out := []byte(diffText(found))
	if d.format == "json" {
		if out, err = encodeJSON(found); err != nil {
			return err
		}
	}
	if _, err := env.stdout.Write(out); err != nil {
		return err
	}
	if !d.remote.quiet {
		writeNotes(env.stderr, found.Notes)
	}
	if d.exitCode && !found.Identical {
		return fmt.Errorf("%w: %w", errReported, errDifferent)
	}
	return nil
}

func writeNotes(w io.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintf(w, "note: %s\n", printable(n))
	}
}
