// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
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
