// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// A placeholder is in capitals, or lists the words to choose from.
var placeholderForm = regexp.MustCompile(`^[A-Z/=@:,|\[\]]+$|^[a-z]+(\|[a-z]+)+(\[:LEVEL\])?$`)

// TestPlaceholders wants every flag with a value to have a placeholder, in one
// form and in one place of its line.
func TestPlaceholders(t *testing.T) {
	for _, c := range []*command{buildCommand(), checkCommand(), initCommand(), registryCommand(), demoCommand(), inspectCommand(), rebaseCommand(), rebindCommand(), loginCommand(), logoutCommand(), completionCommand()} {
		c.flagSet().VisitAll(func(f *pflag.Flag) {
			if f.Value.Type() == "bool" {
				return
			}
			placeholder, _ := pflag.UnquoteUsage(f)
			if !placeholderForm.MatchString(placeholder) || !strings.HasPrefix(f.Usage, "`"+placeholder+"` ") {
				t.Errorf("%s --%s: usage %q", c.name, f.Name, f.Usage)
			}
		})
	}
}

func TestFlagUsages(t *testing.T) {
	fs := pflag.NewFlagSet("x", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.StringP("file", "f", "", "`FILE` read this file")
	fs.Int("number", 4, "`N` of times")
	fs.Bool("yes", false, "say so")
	fs.String("middle", "", "give `NAME` to it")
	want := `  -f, --file FILE     read this file
      --number N      of times (default 4)
      --yes           say so
      --middle NAME   give NAME to it
`
	if got := flagUsages(fs); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
