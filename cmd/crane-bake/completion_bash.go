// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"strings"
)

// bashScript is for bash 3.2, which macOS has, and later. Bash splits the line
// at "=" and ":" too, and replaces only the part that the cursor is in.
func bashScript(all []completed) string {
	var names []string
	var b strings.Builder
	b.WriteString(`# bash completion of crane-bake; made by crane-bake completion bash

# What the value of flag $2 of command $1 is, or the command's argument number $2.
_crane_bake_value() {
    case "$1 $2" in
`)
	for _, c := range all {
		names = append(names, c.name)
		for _, f := range c.flags {
			if kind := bashKind(f.value); f.takesValue {
				for _, s := range f.spelled() {
					fmt.Fprintf(&b, "    '%s %s') REPLY='%s' ;;\n", c.name, s, kind)
				}
			}
		}
		for i, v := range c.args {
			pattern := fmt.Sprintf("'%s %d'", c.name, i+1)
			if v.repeats {
				pattern = fmt.Sprintf("'%s '[0-9]*", c.name)
			}
			fmt.Fprintf(&b, "    %s) REPLY='%s' ;;\n", pattern, bashKind(v))
		}
	}
	b.WriteString(`    *) REPLY= ; return 1 ;;
    esac
}

# The flags of command $1.
_crane_bake_flags() {
    case "$1" in
`)
	for _, c := range all {
		var flags []string
		for _, f := range c.flags {
			flags = append(flags, f.spelled()...)
		}
		fmt.Fprintf(&b, "    %s) REPLY='%s' ;;\n", c.name, strings.Join(flags, " "))
	}
	fmt.Fprintf(&b, bashTail, strings.Join(names, " "))
	return b.String()
}

// bashKind is files, dirs, or the words of a value.
func bashKind(v completedValue) string {
	switch {
	case v.files:
		return "files"
	case v.dirs:
		return "dirs"
	case v.words != nil:
		return "words " + strings.Join(v.words, " ")
	}
	return "any"
}

const bashTail = `    *) REPLY= ;;
    esac
}

# Completes $2, behind $3 in the same word, by the kind $1.
_crane_bake_reply() {
    local line
    case "$1" in
    files) compopt -o filenames 2>/dev/null || :; set -- "$1" "$2" "$3" -f ;;
    dirs) compopt -o filenames 2>/dev/null || :; set -- "$1" "$2" "$3" -d ;;
    words*) set -- "$1" "$2" "$3" -W "${1#words }" ;;
    *) return ;;
    esac
    while IFS= read -r line; do
        COMPREPLY+=("$3$line")
    done < <(compgen "${@:4}" -- "$2")
}

_crane_bake() {
    local -a words=()
    local i word glue= last=${COMP_WORDS[COMP_CWORD]} REPLY
    COMPREPLY=()
    # The words as the program gets them, up to the cursor.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ $word == [=:]* || $glue ]] && ((${#words[@]})); then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
        glue=
        [[ $word == *[=:] ]] && glue=1
    done
    local n=${#words[@]} command=${words[0]-} cur=${words[${#words[@]} - 1]-}
    if ((n <= 1)); then
        _crane_bake_reply 'words %s' "$cur" ''
        return
    fi

    # Flags and arguments before the cursor.
    local arg=1 flag= only=
    for ((i = 1; i < n - 1; i++)); do
        word=${words[i]}
        if [[ $flag ]]; then
            flag=
        elif [[ $only ]]; then
            ((arg++))
        elif [[ $word == -- ]]; then
            only=1
        elif [[ $word == -* ]]; then
            [[ $word != *=* ]] && _crane_bake_value "$command" "$word" && flag=$word
        else
            ((arg++))
        fi
    done

    local kind
    if [[ $flag ]]; then
        _crane_bake_value "$command" "$flag"
        kind=$REPLY
    elif [[ ! $only && $cur == --*=* ]]; then
        _crane_bake_value "$command" "${cur%%%%=*}"
        kind=$REPLY cur=${cur#*=}
    elif [[ ! $only && $cur == -* ]]; then
        _crane_bake_flags "$command"
        kind="words $REPLY"
    else
        _crane_bake_value "$command" "$arg"
        kind=$REPLY
    fi
    # A file's name is behind the last "=". What bash has not split off is
    # repeated.
    cur=${cur##*=}
    local before=
    [[ $last == ?*=* ]] && before=${last%%=*}=
    _crane_bake_reply "$kind" "$cur" "$before"
}

complete -F _crane_bake crane-bake
`
