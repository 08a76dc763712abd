// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
)

func rebindCommand() *command {
	r := &rebind{}
	return &command{
		name: "rebind", group: groupMove, args: "IMAGE",
		short: "Change streams, schemas, CONNECT_PREFIX, env or labels; the model's bytes stay where they are",
		long: `
Publishes IMAGE with other streams, schemas or variables. Only the layers that
hold a changed file are made again; the others keep their digests, and nothing of
them is moved within a registry. What became of every file is said on standard
error, with the proof: the same layer, or the same SHA-256 where small files share
a layer that was made again. The result is checked before anything is sent.

  crane-bake rebind registry.example.com/team/scorer:v1 --stream 1=kafka-prod.json \
      --connect-prefix https://connect.prod:8001 -t registry.example.com/prod/scorer:v1

Standard output holds one line for each published image, REPO@sha256:….`,
		flags: r.register,
		run:   r.run,
	}
}

// rebind is the flags of one rebind.
type rebind struct {
	remote remoteFlags
	report reportFlags
	attach documentFlags

	schemas, streams []string
	connectPrefix    string
	env, labels      []string
	platforms, tags  []string
	allow            []string
	noCheck, strict  bool
}

func (r *rebind) register(fs *pflag.FlagSet) {
	fs.StringArrayVarP(&r.schemas, "schema", "s", nil, "`NAME=FILE` bind a schema in place of the one of that name, or a further one; repeatable")
	fs.StringArrayVar(&r.streams, "stream", nil, "`SLOT=FILE` bind a stream descriptor in place of the slot's, or a further one; repeatable")
	fs.StringVar(&r.connectPrefix, "connect-prefix", "", "`URL` base URL of Connect; default the image's own")
	fs.StringArrayVarP(&r.env, "env", "e", nil, "`K=V` set an environment variable; repeatable")
	fs.StringArrayVarP(&r.labels, "label", "l", nil, "`K=V` set an image label; repeatable")
	fs.StringSliceVar(&r.platforms, "platform", nil, "`OS/ARCH[/VARIANT]` choose a platform of the image; repeatable; default all")
	fs.StringArrayVarP(&r.tags, "tag", "t", nil, "`IMAGE` publish to this image location; repeatable")
	fs.StringSliceVar(&r.allow, "allow", nil, "`RULE[,RULE]` rules of the check whose findings do not count; repeatable")
	fs.BoolVar(&r.noCheck, "no-check", false, "publish in spite of the check's findings")
	fs.BoolVar(&r.strict, "strict", false, "let warnings of the check stop the rebind")
	r.attach.register(fs)
	r.report.register(fs)
	r.remote.register(fs)
}

func (r *rebind) run(ctx context.Context, env *environment, args []string) error {
	if r.noCheck && r.strict {
		return errUsage("rebind: --no-check and --strict exclude each other")
	}
	host := newHostFS()
	defer host.close()
	opts := bake.RebindOptions{
		FS: host, ConnectPrefix: r.connectPrefix, Platforms: r.platforms,
		Allow: r.allow, Strict: r.strict, NoCheck: r.noCheck,
	}
	var err error
	if opts.SBOM, opts.Provenance, err = r.attach.read(env); err != nil {
		return err
	}
	if opts.Schemas, err = parseSchemas(host, r.schemas); err != nil {
		return err
	}
	if opts.Streams, err = parseStreams(host, r.streams); err != nil {
		return err
	}
	if opts.Env, err = parsePairs("--env", "KEY=VALUE", r.env); err != nil {
		return err
	}
	if opts.Labels, err = parsePairs("--label", "KEY=VALUE", r.labels); err != nil {
		return err
	}
	work := func(remote *bake.Remote, show *progress) (*bake.Report, error) {
		opts.Progress = show.event
		return bake.Rebind(ctx, args[0], remote, opts, r.tags...)
	}
	m := remake{name: "rebind", done: "rebound", args: args, tags: r.tags, remote: &r.remote, report: &r.report, files: host}
	return m.run(env, work)
}

// printAssets says what became of every file, and how that is known.
func printAssets(w io.Writer, assets []bake.ReportAsset) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, a := range assets {
		row(t, string(a.Change), describe(a.Role, a.Name), a.Path, proof(a))
	}
	t.Flush()
}

// proof is how it is known what became of a file.
func proof(a bake.ReportAsset) string {
	switch {
	case a.Change == bake.Removed:
		return "was sha256:" + short(a.SHA256)
	case a.Change != bake.Unchanged:
		return "sha256:" + short(a.SHA256)
	case a.SameLayer:
		return "same layer " + shortDigest(*a.Layer)
	}
	return "same sha256:" + short(a.SHA256) + ", layer made again"
}

// describe names a file by its part in the bake.
func describe(role bake.Role, name string) string {
	return strings.TrimSpace(string(role) + " " + name)
}

// short is enough of a digest in hex to tell it from others.
func short(hex string) string { return hex[:min(len(hex), 12)] }

func shortDigest(h v1.Hash) string { return h.Algorithm + ":" + short(h.Hex) }

// row writes a line of a table. A cell cannot end itself or the line.
func row(w io.Writer, cells ...string) {
	for i, c := range cells {
		cells[i] = strings.ReplaceAll(printable(c), "\t", " ")
	}
	fmt.Fprintln(w, strings.TrimRight(strings.Join(cells, "\t"), "\t"))
}
