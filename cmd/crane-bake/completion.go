// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

func completionCommand() *command {
	return &command{
		name: "completion", group: groupOther, args: "bash|zsh|fish",
		short: "Write a shell's completion of this command line",
		long: `
Writes a script for the shell to standard output. It runs no other programs.

  source <(crane-bake completion bash)
  crane-bake completion zsh > "${fpath[1]}/_crane-bake"
  crane-bake completion fish > ~/.config/fish/completions/crane-bake.fish`,
		run: func(_ context.Context, env *environment, args []string) error {
			if len(args) != 1 {
				return withHint(errUsage("completion: want one shell, have %d arguments", len(args)), "the shells are bash, zsh and fish")
			}
			write, ok := map[string]func([]completed) string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[args[0]]
			if !ok {
				return withHint(errUsage("completion: unknown shell %q", args[0]), "the shells are bash, zsh and fish")
			}
			_, err := io.WriteString(env.stdout, write(completedCommands()))
			return err
		},
	}
}

// completed is what a shell knows of a command.
type completed struct {
	name, short string
	flags       []completedFlag
	args        []completedValue // the last one repeats where it may
}

type completedFlag struct {
	long, short string // without dashes; short may be empty
	usage       string
	takesValue  bool
	repeats     bool
	value       completedValue
}

// completedValue is what can be said of a value: the words to choose from, or
// that it names files.
type completedValue struct {
	name    string // as in help, "NAME=FILE"
	words   []string
	files   bool // any file
	dirs    bool // directories only
	repeats bool
}

// Placeholders that name files; an assignment's file is behind its "=".
var (
	filePlaceholder   = regexp.MustCompile(`^(FILE|PATH)(\[=\w+\])?$|=FILE$`)
	choicePlaceholder = regexp.MustCompile(`^([a-z]+(?:\|[a-z]+)+)(?:\[.*\])?$`)
)

func valueOf(placeholder string) completedValue {
	v := completedValue{name: placeholder}
	switch m := choicePlaceholder.FindStringSubmatch(placeholder); {
	case m != nil:
		v.words = strings.Split(m[1], "|")
	case placeholder == "DIR":
		v.dirs = true
	default:
		v.files = filePlaceholder.MatchString(placeholder)
	}
	return v
}

func completedCommands() []completed {
	var out []completed
	all := commands()
	for _, c := range all {
		one := completed{name: c.name, short: c.short}
		c.flagSet().VisitAll(func(f *pflag.Flag) { one.flags = append(one.flags, completionOf(f)) })
		one.flags = append(one.flags, completedFlag{long: "help", short: "h", usage: "show this help"})
		for _, arg := range strings.Fields(c.args) {
			word, repeats := strings.CutSuffix(strings.Trim(arg, "[]"), "...")
			if strings.HasSuffix(arg, "/PATH]") {
				word = arg // one word, REGISTRY[/PATH]
			}
			v := valueOf(word)
			if v.repeats = repeats; word == "COMMAND" {
				for _, named := range all {
					v.words = append(v.words, named.name)
				}
			}
			one.args = append(one.args, v)
		}
		out = append(out, one)
	}
	return out
}

func completionOf(f *pflag.Flag) completedFlag {
	placeholder, usage := usageParts(f)
	kind := f.Value.Type()
	return completedFlag{
		long: f.Name, short: f.Shorthand, usage: usage,
		takesValue: kind != "bool",
		repeats:    strings.HasSuffix(kind, "Array") || strings.HasSuffix(kind, "Slice"),
		value:      valueOf(placeholder),
	}
}

// spelled is how a flag is written, its long form first.
func (f completedFlag) spelled() []string {
	if f.short == "" {
		return []string{"--" + f.long}
	}
	return []string{"--" + f.long, "-" + f.short}
}
