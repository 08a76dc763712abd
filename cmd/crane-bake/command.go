// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/crane-bake/crane-bake/internal/spelling"
)

// environment is what a command may use of the process it runs in.
type environment struct {
	stdin  *os.File
	stdout io.Writer // results, for programs
	stderr io.Writer // everything for people
	lookup func(string) (string, bool)
}

// getenv is the value of an environment variable, empty where it is not set.
func (e *environment) getenv(key string) string {
	v, _ := e.lookup(key)
	return v
}

// command is one entry of the command table.
type command struct {
	name  string
	group string
	args  string // how the arguments are written, "[NAME...]"
	short string // one line
	long  string // what help adds
	// flags registers the command's flags; nil is none.
	flags func(*pflag.FlagSet)
	run   func(ctx context.Context, env *environment, args []string) error
}

// The groups of commands, in the order of help.
const (
	groupBake     = "Bake"
	groupLook     = "Look"
	groupMove     = "Move"
	groupRegistry = "Registry"
	groupOther    = "Other"
)

// commands is the command table.
func commands() []*command {
	return []*command{
		buildCommand(),
		checkCommand(),
		initCommand(),
		inspectCommand(),
		diffCommand(),
		extractCommand(),
		verifyCommand(),
		promoteCommand(),
		rebaseCommand(),
		rebindCommand(),
		loginCommand(),
		logoutCommand(),
		registryCommand(),
		demoCommand(),
		completionCommand(),
		versionCommand(),
		helpCommand(),
	}
}

// run is the program: it returns the exit code.
func run(ctx context.Context, env *environment, args []string) int {
	err := dispatch(ctx, env, args)
	if err == nil {
		return exitDone
	}
	if !errors.Is(err, errReported) {
		printError(env.stderr, err)
	}
	return exitCode(ctx, err)
}

func dispatch(ctx context.Context, env *environment, args []string) error {
	if len(args) == 0 {
		printOverview(env.stderr)
		return errUsage("no command given")
	}
	switch args[0] {
	case "-h", "--help":
		args[0] = "help"
	case "--version":
		args[0] = "version"
	}
	all := commands()
	i := slices.IndexFunc(all, func(c *command) bool { return c.name == args[0] })
	if i < 0 {
		return unknownCommand(args[0], all)
	}
	return all[i].execute(ctx, env, args[1:])
}

func unknownCommand(name string, all []*command) error {
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	err := errUsage("unknown command %q", name)
	if near := spelling.Nearest(name, names); near != "" {
		return withHint(err, "did you mean %q?", near)
	}
	return withHint(err, "see crane-bake help")
}

func (c *command) execute(ctx context.Context, env *environment, args []string) error {
	fs := c.flagSet()
	help := fs.BoolP("help", "h", false, "show this help")
	if err := fs.Parse(args); err != nil {
		return withHint(errUsage("%s: %v", c.name, err), "see crane-bake help %s", c.name)
	}
	if *help {
		c.printHelp(env.stdout)
		return nil
	}
	if c.args == "" && fs.NArg() > 0 {
		return withHint(errUsage("%s: unexpected argument %q", c.name, fs.Arg(0)), "see crane-bake help %s", c.name)
	}
	return c.run(ctx, env, fs.Args())
}

func (c *command) flagSet() *pflag.FlagSet {
	fs := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() {}
	fs.SetOutput(io.Discard)
	if c.flags != nil {
		c.flags(fs)
	}
	return fs
}

func (c *command) usage() string {
	u := "crane-bake " + c.name
	if c.flagSet().HasFlags() {
		u += " [flags]"
	}
	return strings.TrimSpace(u + " " + c.args)
}

func (c *command) printHelp(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage: %s\n", c.short, c.usage())
	if c.long != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.long))
	}
	if fs := c.flagSet(); fs.HasFlags() {
		fmt.Fprintf(w, "\nFlags:\n%s", flagUsages(fs))
	}
}
