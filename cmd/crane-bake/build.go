// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

func buildCommand() *command {
	b := &build{}
	return &command{
		name: "build", group: groupBake, args: "[NAME...]",
		short: "Bake an engine image and publish it",
		long: `
Reads ./bake.yaml, or the files that the flags name, adds them to the engine
image as layers, binds them in its environment, and publishes the result. Flags
win over the file. NAMEs choose bakes of a fleet file.

  crane-bake build -t registry.example.com/team/scorer:v1
  crane-bake build -m model.py3 -s input=input.avsc --stream 0=rest.json \
      -b fastscore/engine:1.10 -t oci:out:v1

Standard output holds one line for each published image, REPO@sha256:….`,
		flags: b.register,
		run:   b.run,
	}
}

// build is the flags of one build.
type build struct {
	what   specFlags
	remote remoteFlags
	report reportFlags
	attach documentFlags

	dryRun, noCheck, strict, noCache bool

	shard string // I/N
}

func (b *build) register(fs *pflag.FlagSet) {
	b.what.register(fs)
	fs.BoolVar(&b.dryRun, "dry-run", false, "show what would be baked and moved; write nothing")
	fs.BoolVar(&b.noCheck, "no-check", false, "bake in spite of the check's findings")
	fs.BoolVar(&b.strict, "strict", false, "let warnings of the check stop the bake")
	fs.BoolVar(&b.noCache, "no-cache", false, "read large files again even if they seem unchanged")
	fs.StringVar(&b.shard, "shard", "", "`I/N` bake this part of a fleet, 0 ≤ I < N, chosen by the bakes' names")
	b.attach.register(fs)
	b.report.register(fs)
	b.remote.registerMirrors(fs)
	b.remote.register(fs)
}

func (b *build) run(ctx context.Context, env *environment, names []string) error {
	if b.noCheck && b.strict {
		return errUsage("build: --no-check and --strict exclude each other")
	}
	if err := b.report.check(); err != nil {
		return err
	}
	created, err := sourceDateEpoch(env)
	if err != nil {
		return err
	}
	host := newHostFS()
	defer host.close()
	remote, err := b.remote.remote(env)
	if err != nil {
		return err
	}
	bakes, err := b.what.specs(ctx, env, host, names, remoteBases(remote))
	if err != nil {
		return err
	}
	if err := b.distinct(bakes); err != nil {
		return err
	}
	if bakes, err = b.chosen(bakes); err != nil {
		return err
	}
	out, err := b.report.open(env.stdout)
	if err != nil {
		return err
	}
	for i := range bakes {
		if bakes[i].Spec.Created.IsZero() {
			bakes[i].Spec.Created = created
		}
		if len(bakes[i].Spec.Tags) == 0 && !b.dryRun {
			return withHint(errUsage("build: no destination"), "name one with --tag, or under tags in the bake file")
		}
	}
	opts := bake.Options{Strict: b.strict, NoCheck: b.noCheck, CacheDir: b.cacheDir(env)}
	if opts.SBOM, opts.Provenance, err = b.attach.read(env); err != nil {
		return err
	}
	if len(bakes) != 1 || b.shard != "" {
		return b.fleet(ctx, env, remote, opts, bakes, out)
	}
	publish := func(ctx context.Context, plan *bake.Plan, progress func(bake.Event)) (*bake.Report, error) {
		opts.Progress = progress
		return plan.Bake(ctx, remote, opts)
	}
	report, err := b.one(ctx, env, remote, namedSpec{Spec: bakes[0].Spec}, publish)
	if err != nil {
		return err
	}
	return errors.Join(out.add(report), out.close())
}

// cacheDir is where digests are remembered (XDG Base Directory Specification);
// empty for nowhere.
func (b *build) cacheDir(env *environment) string {
	if dir := env.getenv("XDG_CACHE_HOME"); !b.noCache && filepath.IsAbs(dir) {
		return filepath.Join(dir, "crane-bake")
	}
	if home := env.getenv("HOME"); !b.noCache && filepath.IsAbs(home) {
		return filepath.Join(home, ".cache", "crane-bake")
	}
	return ""
}

// publishFunc bakes a plan that was checked.
type publishFunc func(ctx context.Context, plan *bake.Plan, progress func(bake.Event)) (*bake.Report, error)

// one bakes one spec. In a fleet it has a name, and what is said of it is kept
// short.
func (b *build) one(ctx context.Context, env *environment, remote *bake.Remote, named namedSpec, publish publishFunc) (*bake.Report, error) {
	spec, label := named.Spec, named.Name
	plan, err := bake.NewPlan(ctx, spec)
	if err != nil {
		return nil, err
	}
	findings, verdict := judged(plan, label, b.strict)
	if forbidden := verdict != nil && !b.noCheck; forbidden || !b.remote.quiet {
		printFindings(env.stderr, spec.FS, findings, b.remote.verbose)
	}
	if verdict != nil && !b.noCheck {
		return nil, verdict
	}
	if b.dryRun {
		budget, err := plan.DryRun(ctx, remote)
		if err != nil {
			return nil, err
		}
		printBudget(env.stderr, plan, budget)
		return budget, nil
	}
	flags := b.remote
	if label != "" {
		flags.progress = "none" // side by side, lines of several would mix
	}
	show, err := flags.newProgress(env)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	report, err := publish(ctx, plan, show.event)
	show.stop()
	if err != nil || !b.remote.quiet {
		printFindings(env.stderr, spec.FS, ofBase(label, findings, report, err), b.remote.verbose)
	}
	if err == nil && !b.remote.quiet && label == "" {
		printDone(env.stderr, "baked", report, time.Since(start))
	}
	return report, err
}

// ofBase is the findings that only the base has brought up.
func ofBase(label string, before []finding, report *bake.Report, err error) []finding {
	var all []engine.Finding
	var check *bake.CheckError
	switch {
	case errors.As(err, &check):
		all = check.Findings
	case report != nil:
		all = report.Findings
	}
	return slices.DeleteFunc(foundIn(label, all), func(f finding) bool { return slices.Contains(before, f) })
}

// sourceDateEpoch is the time of reproducible-builds.org's variable, or the
// zero time without it.
func sourceDateEpoch(env *environment) (time.Time, error) {
	text, ok := env.lookup("SOURCE_DATE_EPOCH")
	if !ok || text == "" {
		return time.Time{}, nil
	}
	seconds, err := strconv.ParseInt(text, 10, 64)
	if err != nil || seconds < 0 || seconds > 1<<33 {
		return time.Time{}, withHint(errUsage("SOURCE_DATE_EPOCH=%s is no time", text), "give seconds since 1970-01-01, such as the output of git log -1 --format=%%ct")
	}
	return time.Unix(seconds, 0).UTC(), nil
}
