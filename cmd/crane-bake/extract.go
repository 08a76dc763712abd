// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/bake"
)

func extractCommand() *command {
	e := &extract{}
	return &command{
		name: "extract", group: groupLook, args: "IMAGE DIR",
		short: "Write an image's baked assets and its bake file to a directory",
		long: `
Writes the files that are baked into the image, verified against the record of
its bake, and DIR/bake.yaml, which bakes them. A build of it gives the same digest
again. DIR must be empty or absent; a failure leaves it as it was.

  crane-bake extract registry.example.com/team/scorer:v1 scorer
  crane-bake build -f scorer/bake.yaml -t registry.example.com/team/scorer:again

Of an image without a record, the bound files and those beside them are written;
notes name what is left out, and nobody promises the digest. Standard output holds the name of the bake file.`,
		flags: e.register,
		run:   e.run,
	}
}

// extract is the flags of one extraction.
type extract struct {
	remote   remoteFlags
	format   string
	platform string
}

func (e *extract) register(fs *pflag.FlagSet) {
	fs.StringVar(&e.platform, "platform", "", "choose `OS/ARCH[/VARIANT]` of an index; default all, if they were baked the same")
	fs.StringVar(&e.format, "format", "text", "`text|json` result")
	e.remote.register(fs)
}

func (e *extract) run(ctx context.Context, env *environment, args []string) error {
	if len(args) != 2 {
		return withHint(errUsage("extract: want an image and a directory, have %d arguments", len(args)), "see crane-bake help extract")
	}
	if e.format != "text" && e.format != "json" {
		return errUsage("--format %q: want text or json", e.format)
	}
	remote, err := e.remote.remote(env)
	if err != nil {
		return err
	}
	out, err := bake.Extract(ctx, args[0], args[1], remote, bake.ExtractOptions{Platform: e.platform})
	if err != nil {
		return err
	}
	if !e.remote.quiet {
		printExtracted(env.stderr, args[1], out)
	}
	if e.format == "json" {
		line, err := encodeJSON(out)
		if err != nil {
			return err
		}
		_, err = env.stdout.Write(line)
		return err
	}
	_, err = fmt.Fprintln(env.stdout, out.BakeFile)
	return err
}

// printExtracted lists what was written, and says whether it makes the image
// again.
func printExtracted(w io.Writer, dir string, out *bake.Extraction) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, f := range out.Files {
		what := strings.TrimSpace(string(f.Role) + " " + f.Name)
		row(t, path.Join(filepath.ToSlash(dir), f.File), size(f.Size), what, f.Path)
	}
	t.Flush()
	for _, n := range out.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(n))
	}
	switch {
	case out.NeedsBase && out.Exact:
		fmt.Fprintln(w, "note: the engine image was in a file: build with --base and its location")
	case out.NeedsBase:
		fmt.Fprintln(w, "note: the image does not tell which engine image it was made of: build with --base")
	}
	if out.Exact {
		fmt.Fprintf(w, "a build gives %s again\n", out.Digest)
	}
}
