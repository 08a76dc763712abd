// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// completedLines are what zsh and fish offer for a line, sorted: words without
// what is before a "=", directories without a slash.
var completedLines = []struct {
	name, line string
	want       []string
}{
	{"commands", "re", []string{"rebase", "rebind", "registry"}},
	{"no command", "xyzzy", nil},
	{"flags", "login --pa", []string{"--password-stdin"}},
	{"a flag behind arguments", "extract image dir --plat", []string{"--platform"}},
	{"choices", "inspect --format ", []string{"bakefile", "dockerfile", "json", "mermaid", "text"}},
	{"choices behind =", "promote --referrers=", []string{"all", "none"}},
	{"choices with a level", "build --compression z", []string{"zstd"}},
	{"files of a short flag", "build -f ba", []string{"bake.yaml", "base in.avsc"}},
	{"files of an assignment", "build -s input=ba", []string{"bake.yaml", "base in.avsc"}},
	{"a directory", "build --context ", []string{"streams"}},
	{"the directory of extract", "extract image s", []string{"streams"}},
	{"the shells", "completion ", []string{"bash", "fish", "zsh"}},
	{"commands of help", "help log", []string{"login", "logout"}},
	{"a value of any form", "build -e ", nil},
	{"help", "version --", []string{"--help"}},
}

// zshComplaint is how zsh begins what it has against a function.
var zshComplaint = regexp.MustCompile(`[\w./-]+:\d+: `)

func TestCompletionZsh(t *testing.T) {
	zsh, script := completionScript(t, "zsh")
	setup, err := filepath.Abs("testdata/completion/line.zsh")
	if err != nil {
		t.Fatal(err)
	}
	terminal, err := filepath.Abs("testdata/completion/terminal.zsh")
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, t.TempDir(), "script", script)
	testCompletedLines(t, func(t *testing.T, dir, line string) []string {
		hits := filepath.Join(t.TempDir(), "hits")
		shown := runShell(t, dir, []string{"SETUP=" + setup, "SCRIPT=" + file, "HITS=" + hits, "LINE=" + line}, zsh, "-f", terminal)
		if zshComplaint.MatchString(shown) {
			t.Errorf("zsh complains:\n%s", shown)
		}
		found, err := os.ReadFile(hits)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return strings.Split(strings.ReplaceAll(string(found), `\`, ""), "\n")
	})
}

func TestCompletionFish(t *testing.T) {
	fish, script := completionScript(t, "fish")
	file := write(t, t.TempDir(), "script", script)
	testCompletedLines(t, func(t *testing.T, dir, line string) []string {
		offered := runShell(t, dir, []string{"SCRIPT=" + file, "LINE=" + line}, fish, "--no-config", "-c", "source $SCRIPT; complete -C $LINE")
		var words []string
		for line := range strings.Lines(offered) {
			word, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t") // a description follows
			words = append(words, word)
		}
		return words
	})
}

// testCompletedLines completes each line in a directory with some files.
func testCompletedLines(t *testing.T, complete func(t *testing.T, dir, line string) []string) {
	dir := t.TempDir()
	for _, name := range []string{"bake.yaml", "base in.avsc", "streams/rest.json"} {
		write(t, dir, name, "")
	}
	for _, c := range completedLines {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, word := range complete(t, dir, "crane-bake "+c.line) {
				if word = strings.TrimSuffix(word[strings.LastIndex(word, "=")+1:], "/"); word != "" {
					got = append(got, word)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(c.want, slices.Compact(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// runShell returns the standard output of a shell that knows nothing of its
// user.
func runShell(t *testing.T, dir string, env []string, shell string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), shell, args...)
	cmd.Dir = dir
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(), "TERM=dumb")
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	if err := cmd.Run(); err != nil || complaints.Len() > 0 {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	return out.String()
}
