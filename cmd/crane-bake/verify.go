// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

func verifyCommand() *command {
	v := &verify{}
	return &command{
		name: "verify", group: groupLook, args: "IMAGE",
		short: "Check an image against its own record and the engine contract",
		long: `
Proves that an image is what it and the record of its bake say: digests and sizes
down to the single asset, environment, history, annotations, and that without the
bake it is the engine image that the record names, where that can be read. Then
checks what is baked in as build does. The bake's layers are read; those of the
base are only looked for.

  crane-bake verify registry.example.com/team/scorer:v1
  crane-bake verify --format json IMAGE | jq '.mismatches'

The exit code is 6 where something is not as it is said to be, or is missing, and
3 where the check finds errors. docs/verify.md says what is compared with what.`,
		flags: v.register,
		run:   v.run,
	}
}

// verify is the flags of one verification.
type verify struct {
	remote    remoteFlags
	format    string
	platforms []string
	allow     []string
	strict    bool
}

func (v *verify) register(fs *pflag.FlagSet) {
	fs.BoolVar(&v.strict, "strict", false, "exit with 3 for warnings too; secrets in plain text are errors")
	fs.StringSliceVar(&v.allow, "allow", nil, "`RULE[,RULE]` turn findings of these rules into notes; repeatable")
	fs.StringArrayVar(&v.platforms, "platform", nil, "`OS/ARCH[/VARIANT]` choose a platform of an index; repeatable; default all")
	fs.StringVar(&v.format, "format", "text", "`text|json|gitlab` form of the result")
	v.remote.register(fs)
}

func (v *verify) run(ctx context.Context, env *environment, args []string) error {
	switch {
	case len(args) != 1:
		return withHint(errUsage("verify: want one image, have %d", len(args)), "see crane-bake help verify")
	case v.format != "text" && v.format != "json" && v.format != "gitlab":
		return errUsage("--format %q: want text, json or gitlab", v.format)
	}
	remote, err := v.remote.remote(env)
	if err != nil {
		return err
	}
	found, err := bake.Verify(ctx, args[0], remote, bake.VerifyOptions{Platforms: v.platforms, Allow: v.allow, Strict: v.strict})
	if found == nil {
		return err
	}
	if werr := v.write(env.stdout, args[0], found, err != nil); werr != nil {
		return errors.Join(err, werr)
	}
	if !v.remote.quiet {
		writeNotes(env.stderr, found.Notes)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errReported, err)
	}
	return nil
}

func (v *verify) write(w io.Writer, image string, found *bake.Verification, failed bool) error {
	if v.format == "json" {
		line, err := encodeJSON(found)
		if err != nil {
			return err
		}
		_, err = w.Write(line)
		return err
	}
	findings := foundIn("", found.Findings)
	if !v.remote.verbose {
		findings = slices.DeleteFunc(findings, func(f finding) bool { return f.Severity == engine.Note })
	}
	if v.format == "gitlab" {
		return gitLabVerification(image, found, findings).write(w)
	}
	return writeVerified(w, found, findings, failed)
}

func writeVerified(w io.Writer, found *bake.Verification, findings []finding, failed bool) error {
	var b strings.Builder
	for _, m := range found.Mismatches {
		of := ""
		if n := len(m.Platforms); n > 0 && n < len(found.Platforms) {
			of = strings.Join(m.Platforms, ", ") + ": "
		}
		fmt.Fprintf(&b, "mismatch %s\n", printable(of+m.String()))
	}
	for _, f := range findings {
		writeFinding(&b, f, nil)
	}
	fmt.Fprintln(&b, verifiedText(found, findings, failed))
	_, err := io.WriteString(w, b.String())
	return err
}

// verifiedText sums up a verification in one line.
func verifiedText(found *bake.Verification, findings []finding, failed bool) string {
	what := fmt.Sprintf("%s, %s, %s, %s read", plural(len(found.Platforms), "platform"), plural(found.Layers, "layer"),
		plural(found.Assets, "asset"), size(found.ReadBytes))
	errs, warnings := counts(findings)
	switch {
	case len(found.Mismatches) == 1:
		return fmt.Sprintf("not verified: 1 mismatch, %s, %s (%s)", plural(errs, "error"), plural(warnings, "warning"), what)
	case failed:
		return fmt.Sprintf("not verified: %d mismatches, %s, %s (%s)", len(found.Mismatches), plural(errs, "error"), plural(warnings, "warning"), what)
	case warnings > 0:
		return fmt.Sprintf("verified %s; %s", what, plural(warnings, "warning"))
	}
	return "verified " + what
}
