// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
)

func promoteCommand() *command {
	p := &promote{}
	return &command{
		name: "promote", group: groupMove, args: "SRC DST...",
		short: "Copy an image between registries: same digest, referrers included",
		long: `
Copies the image at SRC, every platform of it, to each DST: registries, oci: and
oci-archive:. Manifests are copied byte for byte, so the digest stays, and with
them everything that refers to them: signatures, SBOMs, attestations. Blobs are
mounted within a registry, and what a destination holds is not sent again. Tags
are written last.

  crane-bake promote dev.example.com/team/scorer:v1 prod.example.com/team/scorer:v1
  crane-bake promote dev.example.com/team/scorer:v1 oci:usb/scorer:v1

Standard output holds one line for each destination repository, REPO@sha256:….`,
		flags: p.register,
		run:   p.run,
	}
}

// promote is the flags of one promotion.
type promote struct {
	remote remoteFlags
	report reportFlags

	platform, referrers string
	require             []string
	noClobber           bool

	verify, strict bool
	allow          []string
}

func (p *promote) register(fs *pflag.FlagSet) {
	fs.StringVar(&p.platform, "platform", "", "`OS/ARCH[/VARIANT]` of an index: promote its image, under the image's own digest")
	fs.StringVar(&p.referrers, "referrers", "all", "`all|none` of what refers to the image")
	fs.StringArrayVar(&p.require, "require-referrer", nil, "`TYPE` that a referrer of the image must have, else it is refused; repeatable")
	fs.BoolVar(&p.verify, "verify", false, "verify the image first, as the command verify does")
	fs.BoolVar(&p.strict, "strict", false, "with --verify: refuse warnings too")
	fs.StringSliceVar(&p.allow, "allow", nil, "`RULE[,RULE]` with --verify: turn findings of these rules into notes; repeatable")
	fs.BoolVar(&p.noClobber, "no-clobber", false, "refuse to move a tag that exists")
	p.report.register(fs)
	p.remote.register(fs)
}

func (p *promote) run(ctx context.Context, env *environment, args []string) error {
	switch {
	case len(args) < 2:
		return withHint(errUsage("promote: want a source and at least one destination"), "see crane-bake help promote")
	case p.referrers != "all" && p.referrers != "none":
		return errUsage("--referrers %q: want all or none", p.referrers)
	case p.referrers == "none" && len(p.require) > 0:
		return errUsage("promote: --require-referrer is about what --referrers none leaves behind")
	case !p.verify && (p.strict || len(p.allow) > 0):
		return errUsage("promote: --strict and --allow are about --verify")
	}
	if err := p.report.check(); err != nil {
		return err
	}
	remote, err := p.remote.remote(env)
	if err != nil {
		return err
	}
	out, err := p.report.open(env.stdout)
	if err != nil {
		return err
	}
	show, err := p.remote.newProgress(env)
	if err != nil {
		return err
	}
	var verify *bake.VerifyOptions
	if p.verify {
		verify = &bake.VerifyOptions{Strict: p.strict, Allow: p.allow}
	}
	start := time.Now()
	report, err := bake.Promote(ctx, args[0], remote, bake.PromoteOptions{
		Verify:           verify,
		Platform:         p.platform,
		NoReferrers:      p.referrers == "none",
		RequireReferrers: p.require,
		NoClobber:        p.noClobber,
		Progress:         show.event,
	}, args[1:]...)
	show.stop()
	var check *bake.CheckError
	if errors.As(err, &check) {
		printFindings(env.stderr, nil, foundIn("", check.Findings), p.remote.verbose)
	}
	if err != nil {
		return err
	}
	if !p.remote.quiet {
		writeNotes(env.stderr, report.Notes)
		printPromoted(env.stderr, report, time.Since(start))
	}
	return errors.Join(out.addPromoted(report), out.close())
}

// printPromoted sums up a promotion in one line.
func printPromoted(w io.Writer, r *bake.PromoteReport, took time.Duration) {
	fmt.Fprintf(w, "promoted %s and %s in %s: %s, %d requests\n",
		plural(r.Manifests, "manifest"), plural(r.Referrers, "referrer"), seconds(took), moved(r.Transfer), r.Transfer.Requests)
}
