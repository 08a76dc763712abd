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
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/bake/bakefile/draft"
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
	fs.StringVarP(&i.output, "output", "o", "", "`FILE` to write; - is standard output; default DIR/"+defaultBakeFile)
	fs.BoolVar(&i.force, "force", false, "replace the file that is there")
}

func (i *initialize) run(ctx context.Context, env *environment, args []string) error {
	if len(args) > 1 {
		return errUsage("init: unexpected argument %q", args[1])
	}
	dir := path.Clean(filepath.ToSlash(strings.Join(args, "")))
	if info, err := os.Stat(dir); err != nil {
		return err
	} else if !info.IsDir() {
		return withHint(errUsage("init: %s is no directory", dir), "name the directory of the model and its files")
	}
	output := path.Clean(filepath.ToSlash(i.output))
	if i.output == "" || i.output == "-" {
		output = path.Join(dir, defaultBakeFile)
	}
	toStdout := i.output == "-"
	if !toStdout {
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
	if toStdout {
		if _, err := env.stdout.Write(d.Content); err != nil {
			return err
		}
	} else {
		if err := replaceFile(output, d.Content); err != nil {
			return fmt.Errorf("writing %s: %w", output, err)
		}
		fmt.Fprintf(env.stderr, "wrote %s\n", output)
	}
	if len(d.Questions) > 0 {
		for _, q := range d.Questions {
			fmt.Fprintf(env.stderr, "%s:%d: %s\n", output, q.Line, q.Text)
		}
		return withHint(fmt.Errorf("init: %s of %s left to fill in", plural(len(d.Questions), "line"), output),
			"fill in, then: crane-bake check -f %s", output)
	}
	return checkDraft(ctx, env, host, output, d.Content)
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
	rel, err := filepath.Rel(filepath.FromSlash(from), filepath.FromSlash(dir))
	rel = filepath.ToSlash(rel)
	if err != nil || !fs.ValidPath(rel) {
		return draft.Draft{}, withHint(errUsage("init: %s is not in %s or below it", dir, from),
			"a bake file names files relative to itself: write it to %s or above", dir)
	}
	if err := host.addTree(from); err != nil {
		return draft.Draft{}, err
	}
	tree, err := fs.Sub(belowRoot{host}, ".")
	if from != "." {
		tree = host.trees[from].FS()
	}
	if err != nil {
		return draft.Draft{}, err
	}
	return draft.New(tree, rel)
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
	findings, verdict := judged(plan, false)
	if err := writeText(env.stderr, findings, host); err != nil {
		return err
	}
	if verdict != nil {
		return fmt.Errorf("%w: %w", errReported, verdict)
	}
	return nil
}
