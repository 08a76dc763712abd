// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/bake/bakefile/draft"
	"github.com/crane-bake/crane-bake/bake/engine"
)

func initCommand() *command {
	i := &initialize{}
	return &command{
		name: "init", group: groupBake, args: "[DIR]",
		short: "Write a bake file for a directory of assets",
		long: `
Finds the model in DIR (default .), reads which schemas and slots its
annotations name, finds the files for them, and writes DIR/bake.yaml, with the
reason for every choice. The result of the check follows on standard error; the
exit code is 3 where it has an error.

What the files do not decide is left as a line to fill in, and asked on standard
error, one question a line; the exit code is 1 then.`,
		flags: i.register,
		run:   i.run,
	}
}

// initialize is the flags of one init.
type initialize struct {
	output string
	force  bool
}

func (i *initialize) register(fs *pflag.FlagSet) {
	fs.StringVarP(&i.output, "output", "o", "", "`FILE` write this file; - is standard output; default DIR/"+defaultBakeFile)
	fs.BoolVar(&i.force, "force", false, "replace the file that is there")
}

func (i *initialize) run(ctx context.Context, env *environment, args []string) error {
	if len(args) > 1 {
		return errUsage("init: unexpected argument %q", args[1])
	}
	dir := path.Clean(filepath.ToSlash(strings.Join(args, "")))
	switch info, err := os.Stat(dir); {
	case err != nil:
		return fmt.Errorf("reading %w", fileError(dir, err))
	case !info.IsDir():
		return withHint(errUsage("init: %s is no directory", dir), "name the directory of the model and its files")
	}
	output := path.Clean(filepath.ToSlash(i.output))
	if i.output == "" || i.output == "-" {
		output = path.Join(dir, defaultBakeFile)
	}
	if i.output != "-" {
		if err := i.free(output); err != nil {
			return err
		}
	}
	host := newHostFS()
	defer host.close()
	d, err := draftFor(host, output, dir)
	if err != nil {
		return err
	}
	if err := i.write(env, output, d.Content); err != nil {
		return err
	}
	if len(d.Questions) == 0 {
		return checkDraft(ctx, env, host, output, d.Content)
	}
	for _, q := range d.Questions {
		fmt.Fprintf(env.stderr, "%s:%d: %s\n", output, q.Line, printable(q.Text))
	}
	return withHint(fmt.Errorf("init: %s of %s left to fill in", plural(len(d.Questions), "line"), output),
		"then run crane-bake check -f %s", output)
}

// write puts the content where it was asked for, all of it or nothing.
func (i *initialize) write(env *environment, output string, content []byte) error {
	if i.output == "-" {
		_, err := env.stdout.Write(content)
		return err
	}
	if err := replaceFile(output, content); err != nil {
		return fmt.Errorf("writing %w", err)
	}
	fmt.Fprintf(env.stderr, "wrote %s\n", output)
	return nil
}

// free is nil where the file may be written.
func (i *initialize) free(output string) error {
	info, err := os.Lstat(output)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.IsDir():
		return errUsage("init: %s is a directory; want a file to write", output)
	case !i.force:
		return withHint(fmt.Errorf("init: %s exists", output), "--force replaces it, -o - shows what would be written")
	}
	return nil
}

// draftFor drafts the bake file output for dir. Names in it are relative to the
// bake file, and cannot leave its directory.
func draftFor(host *hostFS, output, dir string) (draft.Draft, error) {
	from := path.Dir(output)
	below, err := relative(from, dir)
	if err != nil {
		return draft.Draft{}, err
	}
	if !fs.ValidPath(below) {
		return draft.Draft{}, withHint(errUsage("init: %s is not below %s, the directory of the bake file", dir, from),
			"a bake file names files relative to itself: write it to %s or above", dir)
	}
	if err := host.addTree(from); err != nil {
		return draft.Draft{}, err
	}
	return draft.New(host.trees[from].FS(), below)
}

// relative is the way from one directory to another, either of which may be
// absolute.
func relative(from, to string) (string, error) {
	absolute, err := filepath.Abs(filepath.FromSlash(from))
	if err != nil {
		return "", err
	}
	target, err := filepath.Abs(filepath.FromSlash(to))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(absolute, target)
	return filepath.ToSlash(rel), err
}

// checkDraft says on standard error what check would say.
func checkDraft(ctx context.Context, env *environment, host *hostFS, name string, content []byte) error {
	bakes, err := bakefile.Parse(content, name, bakefile.Options{LookupEnv: env.lookup})
	if err != nil {
		return err
	}
	spec := bakes[0].Spec
	spec.FS = host
	plan, err := bake.NewPlan(ctx, spec)
	if err != nil {
		return err
	}
	findings, verdict := judged(plan, "", false)
	findings = slices.DeleteFunc(findings, func(f finding) bool { return f.Severity == engine.Note })
	if err := writeText(env.stderr, findings, host); err != nil {
		return err
	}
	if verdict != nil {
		return fmt.Errorf("%w: %w", errReported, verdict)
	}
	return nil
}
