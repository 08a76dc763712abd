// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/internal/credentials"
)

func logoutCommand() *command {
	var flags remoteFlags
	return &command{
		name: "logout", group: groupRegistry, args: "REGISTRY[/PATH]",
		short: "Forget the password for a registry",
		long: `
Takes the registry's password out of the file that login writes to, or out of the
credential helper that the file names. The registry is not asked. A password that
is not there is no error: a note says so.`,
		flags: func(fs *pflag.FlagSet) {
			fs.StringVar(&flags.authFile, "authfile", "", "`FILE` registry credentials, instead of Docker's")
			fs.BoolVarP(&flags.quiet, "quiet", "q", false, "say nothing but errors")
		},
		run: func(ctx context.Context, env *environment, args []string) error {
			if len(args) != 1 {
				return withHint(errUsage("logout: want one registry, have %d arguments", len(args)), "see crane-bake help logout")
			}
			scope, err := registryArg("logout", args[0])
			if err != nil {
				return err
			}
			places := flags.places(env)
			store, err := credentials.NewStore(places)
			if err != nil {
				return noPlace(err)
			}
			was, err := store.Remove(ctx, scope)
			if err != nil {
				return fmt.Errorf("forgetting the password: %w", err)
			}
			switch {
			case flags.quiet:
				return nil
			case was:
				fmt.Fprintln(env.stderr, printable(fmt.Sprintf("logged out of %s", scope)))
			default:
				note(env.stderr, "%s holds no password for %s", store.File, scope)
			}
			if place := otherPlace(ctx, places, scope); place != "" {
				note(env.stderr, "%s still has credentials for it", place)
			}
			return nil
		},
	}
}
