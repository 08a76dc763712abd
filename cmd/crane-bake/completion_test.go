// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// completionScript is what the command writes for a shell, and the shell's
// program, which scripts/install-peers installs.
func completionScript(t *testing.T, shell string) (program, script string) {
	t.Helper()
	program, err := exec.LookPath(shell)
	if err != nil {
		t.Fatalf("%v; run scripts/install-peers", err)
	}
	var out, errs bytes.Buffer
	env := &environment{stdout: &out, stderr: &errs, lookup: func(string) (string, bool) { return "", false }}
	if code := run(t.Context(), env, []string{"completion", shell}); code != exitDone {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	return program, out.String()
}

// TestCompletionBash gives bash's function the words that bash splits a line
// into: at "=" and ":" too. The last one is under the cursor.
func TestCompletionBash(t *testing.T) {
	bash, script := completionScript(t, "bash")
	dir := t.TempDir()
	for _, name := range []string{"bake.yaml", "base in.avsc", "streams/rest.json"} {
		write(t, dir, name, "")
	}
	for _, c := range []struct {
		name  string
		words []string
		want  []string
	}{
		{"commands", []string{"re"}, []string{"rebase", "rebind", "registry"}},
		{"no command", []string{"xyzzy"}, nil},
		{"flags", []string{"login", "--pa"}, []string{"--password-stdin"}},
		{"a flag behind arguments", []string{"extract", "image", "dir", "--plat"}, []string{"--platform"}},
		{"choices", []string{"inspect", "--format", ""}, []string{"bakefile", "dockerfile", "json", "mermaid", "text"}},
		{"choices behind =", []string{"inspect", "--format", "=", "m"}, []string{"mermaid"}},
		{"all choices behind =", []string{"promote", "--referrers", "="}, []string{"all", "none"}},
		{"choices with a level", []string{"build", "--compression", "z"}, []string{"zstd"}},
		{"the same flag elsewhere", []string{"check", "--format", "s"}, []string{"sarif"}},
		{"files of a short flag", []string{"build", "-f", "ba"}, []string{"bake.yaml", "base in.avsc"}},
		{"files of an assignment", []string{"build", "-s", "input", "=", "base"}, []string{"base in.avsc"}},
		{"files of an assignment behind =", []string{"build", "--schema", "=", "input", "=", "base"}, []string{"base in.avsc"}},
		{"unsplit, where = breaks no word", []string{"build", "-s", "input=base"}, []string{"input=base in.avsc"}},
		{"a directory", []string{"build", "--context", ""}, []string{"streams"}},
		{"the directory of extract", []string{"extract", "oci", ":", "x", "s"}, []string{"streams"}},
		{"the image of extract", []string{"extract", "s"}, nil},
		{"a switch takes no value", []string{"extract", "-v", "image", "s"}, []string{"streams"}},
		{"an argument behind a value", []string{"extract", "--format", "json", "image", "s"}, []string{"streams"}},
		{"behind --", []string{"init", "--", "s"}, []string{"streams"}},
		{"the shells", []string{"completion", ""}, []string{"bash", "fish", "zsh"}},
		{"commands of help", []string{"help", "log"}, []string{"login", "logout"}},
		{"a value of any form", []string{"build", "-e", ""}, nil},
		{"help", []string{"version", "-"}, []string{"--help", "-h"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), bash, append([]string{
				"--norc", "--noprofile", "-euc", script + `
[[ $(complete -p crane-bake) == 'complete -F _crane_bake crane-bake' ]]
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_crane_bake
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"`, "bash", "crane-bake",
			}, c.words...)...)
			cmd.Dir = dir
			cmd.Env = []string{"PATH=/nowhere"} // no other programs
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			if err := cmd.Run(); err != nil || errs.Len() > 0 {
				t.Fatalf("%v\n%s", err, errs.String())
			}
			var got []string
			if out.Len() > 0 {
				got = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				slices.Sort(got)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestCompletionParses wants each shell to read its script.
func TestCompletionParses(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			program, script := completionScript(t, shell)
			cmd := exec.CommandContext(t.Context(), program, "-n", write(t, t.TempDir(), "script", script))
			if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestCompletionIsComplete wants every command and every flag in every script.
func TestCompletionIsComplete(t *testing.T) {
	for shell, script := range map[string]string{
		"zsh": zshScript(completedCommands()), "fish": fishScript(completedCommands()), "bash": bashScript(completedCommands()),
	} {
		prefix := map[string]string{"zsh": "--", "fish": "-l ", "bash": "--"}[shell]
		for _, c := range completedCommands() {
			if !strings.Contains(script, c.name) {
				t.Errorf("%s: no command %s", shell, c.name)
			}
			for _, f := range c.flags {
				if !strings.Contains(script, prefix+f.long) {
					t.Errorf("%s: no flag --%s of %s", shell, f.long, c.name)
				}
			}
		}
	}
}
