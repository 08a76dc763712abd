// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// zshScript is a function for a directory of $fpath that may be sourced too.
func zshScript(all []completed) string {
	var b strings.Builder
	b.WriteString(`#compdef crane-bake
# zsh completion of crane-bake; made by crane-bake completion zsh

_crane_bake_assigned() {
    compset -P '*=' && _files || _message 'NAME=FILE'
}

_crane_bake() {
    local curcontext=$curcontext state line
    local -A opt_args
    local -a commands
    _arguments -C '1: :->command' '*:: :->rest' && return
    case $state in
    command)
        commands=(
`)
	for _, c := range all {
		fmt.Fprintf(&b, "            %s\n", zshQuote(c.name+":"+strings.ReplaceAll(c.short, ":", `\:`)))
	}
	b.WriteString(`        )
        _describe command commands
        ;;
    rest)
        case $words[1] in
`)
	for _, c := range all {
		fmt.Fprintf(&b, "        %s)\n            _arguments -s -S", c.name)
		for _, f := range c.flags {
			fmt.Fprintf(&b, " \\\n                %s", zshFlag(f))
		}
		for i, v := range c.args {
			position := fmt.Sprint(i + 1)
			if v.repeats {
				position = "*"
			}
			fmt.Fprintf(&b, " \\\n                %s", zshQuote(position+zshValue(v)))
		}
		b.WriteString("\n            ;;\n")
	}
	b.WriteString(`        esac
        ;;
    esac
}

if [[ $funcstack[1] == _crane-bake ]]; then
    _crane_bake "$@"
else
    compdef _crane_bake crane-bake
fi
`)
	return b.String()
}

// zshFlag is a flag in the words of _arguments.
func zshFlag(f completedFlag) string {
	spelled := f.spelled()
	value := "[" + strings.NewReplacer("[", `\[`, "]", `\]`, ":", `\:`).Replace(f.usage) + "]"
	if f.takesValue {
		value += zshValue(f.value)
		spelled[0] += "=" // --flag=value and --flag value
		if f.short != "" {
			spelled[1] += "+"
		}
	}
	switch {
	case f.repeats && f.short != "":
		return `'*'{` + strings.Join(spelled, ",") + "}" + zshQuote(value)
	case f.repeats:
		return zshQuote("*" + spelled[0] + value)
	case f.short != "":
		return zshQuote("(--"+f.long+" -"+f.short+")") + "{" + strings.Join(spelled, ",") + "}" + zshQuote(value)
	}
	return zshQuote(spelled[0] + value)
}

// zshValue is ":MESSAGE:ACTION".
func zshValue(v completedValue) string {
	action := " "
	switch {
	case v.files && strings.HasSuffix(v.name, "=FILE"):
		action = "_crane_bake_assigned"
	case v.files:
		action = "_files"
	case v.dirs:
		action = "_files -/"
	case v.words != nil:
		action = "(" + strings.Join(v.words, " ") + ")"
	}
	return ":" + strings.ReplaceAll(v.name, ":", `\:`) + ":" + action
}

func zshQuote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
