// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
)

func rebaseCommand() *command {
	r := &rebase{}
	return &command{
		name: "rebase", group: groupMove, args: "IMAGE",
		short: "Put the same bake on another engine image",
		long: `
Takes the bake off the engine image below IMAGE and puts it on another one, on
every platform. The bake's layers keep their digests and are mounted where the
registry has them; its variables, labels and settings are applied to those of the
new engine. Without --base the engine's tag is followed to where it is now. An
image without a record of its bake, such as docker build makes, needs --old-base.

  crane-bake rebase registry.example.com/team/scorer:v1 \
      --base fastscore/engine:1.11 -t registry.example.com/team/scorer:v2

Standard output holds one line for each published image, REPO@sha256:….`,
		flags: r.register,
		run:   r.run,
	}
}

// rebase is the flags of one rebase.
type rebase struct {
	remote remoteFlags
	report reportFlags
	attach documentFlags

	base, oldBase   string
	platforms, tags []string
	noCheck         bool
}

func (r *rebase) register(fs *pflag.FlagSet) {
	fs.StringVarP(&r.base, "base", "b", "", "`IMAGE` new engine image; default the one that the bake was put on, by its tag")
	fs.StringVar(&r.oldBase, "old-base", "", "`IMAGE` engine image that the image was made from, where it has no record of its bake")
	fs.StringSliceVar(&r.platforms, "platform", nil, "`OS/ARCH[/VARIANT]` choose a platform of the new engine; repeatable; default those of the image")
	fs.StringArrayVarP(&r.tags, "tag", "t", nil, "`IMAGE` publish to this image location; repeatable")
	fs.BoolVar(&r.noCheck, "no-check", false, "publish in spite of the check's findings")
	r.attach.register(fs)
	r.report.register(fs)
	r.remote.registerMirrors(fs)
	r.remote.register(fs)
}

func (r *rebase) run(ctx context.Context, env *environment, args []string) error {
	opts := bake.RebaseOptions{Base: r.base, OldBase: r.oldBase, Platforms: r.platforms, NoCheck: r.noCheck}
	var err error
	if opts.SBOM, opts.Provenance, err = r.attach.read(env); err != nil {
		return err
	}
	work := func(remote *bake.Remote, show *progress) (*bake.Report, error) {
		opts.Progress = show.event
		return bake.Rebase(ctx, args[0], remote, opts, r.tags...)
	}
	m := remake{name: "rebase", done: "rebased", args: args, tags: r.tags, remote: &r.remote, report: &r.report}
	return m.run(env, work)
}

// A remake makes a new image of one in a registry.
type remake struct {
	name, done string
	args, tags []string
	remote     *remoteFlags
	report     *reportFlags
	files      fs.FS // that findings may be about; nil is none
}

// run checks what can be checked beforehand, lets work publish the image, and
// reports it.
func (m *remake) run(env *environment, work func(*bake.Remote, *progress) (*bake.Report, error)) error {
	switch {
	case len(m.args) != 1:
		return withHint(errUsage("%s: want one image, have %d", m.name, len(m.args)), "see crane-bake help %s", m.name)
	case len(m.tags) == 0:
		return withHint(errUsage("%s: no destination", m.name), "name one with --tag; it may be the tag that IMAGE has now")
	}
	if err := m.report.check(); err != nil {
		return err
	}
	remote, err := m.remote.remote(env)
	if err != nil {
		return err
	}
	out, err := m.report.open(env.stdout)
	if err != nil {
		return err
	}
	show, err := m.remote.newProgress(env)
	if err != nil {
		return err
	}
	start := time.Now()
	report, err := work(remote, show)
	show.stop()
	if err != nil || !m.remote.quiet {
		printFindings(env.stderr, m.files, foundBy(report, err), m.remote.verbose)
	}
	if err != nil {
		return err
	}
	if !m.remote.quiet {
		printAssets(env.stderr, report.Assets)
		printDone(env.stderr, m.done, report, time.Since(start))
	}
	return errors.Join(out.add(report), out.close())
}

// foundBy is what the check found, whether or not it forbade the result.
func foundBy(report *bake.Report, err error) []finding {
	var check *bake.CheckError
	switch {
	case errors.As(err, &check):
		return foundIn("", check.Findings)
	case err == nil:
		return foundIn("", report.Findings)
	}
	return nil
}
