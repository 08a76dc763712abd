// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// fishScript is a line for each command, flag and kind of argument.
func fishScript(all []completed) string {
	var b strings.Builder
	b.WriteString("# fish completion of crane-bake; made by crane-bake completion fish\n\ncomplete -c crane-bake -f\n")
	for _, c := range all {
		fmt.Fprintf(&b, "complete -c crane-bake -n __fish_use_subcommand -a %s -d %s\n", c.name, fishQuote(c.short))
	}
	for _, c := range all {
		on := "complete -c crane-bake -n " + fishQuote("__fish_seen_subcommand_from "+c.name)
		b.WriteByte('\n')
		for _, f := range c.flags {
			b.WriteString(on)
			if f.short != "" {
				b.WriteString(" -s " + f.short)
			}
			b.WriteString(" -l " + f.long)
			if f.takesValue {
				b.WriteString(" -r" + fishValue(f.value))
				if !f.value.files {
					b.WriteString(" -f")
				}
			}
			fmt.Fprintf(&b, " -d %s\n", fishQuote(f.usage))
		}
		// Fish does not count arguments: what one of them may be, all may.
		for _, v := range c.args {
			if action := fishValue(v); action != "" {
				b.WriteString(on + action + "\n")
			}
		}
	}
	return b.String()
}

// fishValue is what complete -r takes for a value. Behind an "=", fish completes
// files by itself where it may.
func fishValue(v completedValue) string {
	switch {
	case v.files:
		return " -F"
	case v.dirs:
		return " -a '(__fish_complete_directories)'"
	case v.words != nil:
		return " -a " + fishQuote(strings.Join(v.words, " "))
	}
	return ""
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(s) + "'"
}
