// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"
)

func helpCommand() *command {
	return &command{
		name: "help", group: groupOther, args: "[COMMAND]",
		short: "Show what a command does",
		run: func(_ context.Context, env *environment, args []string) error {
			if len(args) == 0 {
				printOverview(env.stdout)
				return nil
			}
			all := commands()
			i := slices.IndexFunc(all, func(c *command) bool { return c.name == args[0] })
			if i < 0 {
				return unknownCommand(args[0], all)
			}
			all[i].printHelp(env.stdout)
			return nil
		},
	}
}

func printOverview(w io.Writer) {
	fmt.Fprint(w, `crane-bake bakes models, schemas and streams into engine images without Docker.

Usage: crane-bake COMMAND [flags] [arguments]

`)
	group := ""
	for _, c := range commands() {
		if c.group != group {
			group = c.group
			fmt.Fprintf(w, "%s\n", group)
		}
		fmt.Fprintf(w, "  %-12s%s\n", c.name, c.short)
	}
	fmt.Fprint(w, `
An image is REGISTRY/REPO[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE[:TAG] or
docker-archive:FILE[:REPO:TAG].

Try it, offline: crane-bake demo
`)
}

// flagUsages is a line for each flag: name, placeholder, meaning. A usage
// begins with its placeholder in backquotes, as in "`FILE` of the model".
func flagUsages(fs *pflag.FlagSet) string {
	var b strings.Builder
	t := tabwriter.NewWriter(&b, 0, 0, 3, ' ', 0)
	fs.VisitAll(func(f *pflag.Flag) {
		name := "      --" + f.Name
		if f.Shorthand != "" {
			name = "  -" + f.Shorthand + ", --" + f.Name
		}
		placeholder, usage := usageParts(f)
		switch f.DefValue {
		case "", "0", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(t, "%s\t%s\n", strings.TrimRight(name+" "+placeholder, " "), usage)
	})
	t.Flush()
	return b.String()
}

// usageParts takes a flag's usage apart.
func usageParts(f *pflag.Flag) (placeholder, usage string) {
	placeholder, usage = pflag.UnquoteUsage(f)
	if _, rest, ok := strings.Cut(f.Usage, "`"+placeholder+"` "); ok && strings.HasPrefix(f.Usage, "`") {
		usage = rest
	}
	return placeholder, usage
}
