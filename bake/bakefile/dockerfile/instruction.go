// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

// supported are the instructions that a bake can follow, with their options.
var supported = map[string][]string{
	"ADD":        {"checksum", "chmod", "chown", "exclude", "keep-git-dir", "link", "unpack"},
	"ARG":        nil,
	"CMD":        nil,
	"COPY":       {"chmod", "chown", "exclude", "from", "link", "parents"},
	"ENTRYPOINT": nil,
	"ENV":        nil,
	"EXPOSE":     nil,
	"FROM":       {"platform"},
	"LABEL":      nil,
	"MAINTAINER": nil,
	"SHELL":      nil,
	"STOPSIGNAL": nil,
	"USER":       nil,
	"VOLUME":     nil,
	"WORKDIR":    nil,
}

// refused are the other instructions that Docker has.
var refused = map[string]refusal{
	"HEALTHCHECK": healthcheck,
	"ONBUILD":     onbuild,
	"RUN":         runs,
}

// sort puts a file's instructions where they belong and checks what can be
// checked before words are expanded.
func (f *File) sort(nodes []*parser.Node, ps *problems) {
	isFrom := func(n *parser.Node) bool { return keyword(n) == "FROM" }
	hasFrom := slices.ContainsFunc(nodes, isFrom)
	if !hasFrom {
		ps.add(0, "the file has no FROM", "name the engine image, as in FROM fastscore/engine:1.10")
	}
	for _, n := range nodes {
		// A comment "check=" is for a linter, without which the parser panics.
		n.PrevComment = nil
		word := keyword(n)
		_, ok := supported[word]
		switch r, isRefused := refused[word]; {
		case isRefused:
			ps.refuse(n.StartLine, r)
			continue
		case !ok:
			names := slices.Sorted(maps.Keys(supported))
			ps.add(n.StartLine, "unknown instruction "+clip(n.Value), didYouMean(n.Value, "instructions", names))
			continue
		case word == "FROM" && f.from != nil:
			ps.refuse(n.StartLine, secondStage)
		case word == "FROM":
			f.from = n
		case f.from != nil:
			f.body = append(f.body, n)
		case word == "ARG":
			f.global = append(f.global, n)
		case hasFrom:
			ps.add(n.StartLine, word+" is above FROM", "only ARG may precede FROM")
		}
		checkInstruction(n, ps)
	}
}

func keyword(n *parser.Node) string { return strings.ToUpper(n.Value) }

func checkInstruction(n *parser.Node, ps *problems) {
	if !checkOptions(n, ps) {
		return
	}
	parsed, err := instructions.ParseInstruction(n)
	if err != nil {
		ps.add(n.StartLine, root(err).Error(), "")
		return
	}
	switch c := parsed.(type) {
	case *instructions.CmdCommand:
		checkCommandLine("CMD", c.ShellDependantCmdLine, n.StartLine, ps)
	case *instructions.EntrypointCommand:
		checkCommandLine("ENTRYPOINT", c.ShellDependantCmdLine, n.StartLine, ps)
	case *instructions.CopyCommand, *instructions.AddCommand:
		checkTransfer(newTransfer(c), n.StartLine, ps)
	}
}

// checkOptions refuses options that an instruction has not, or that a bake
// cannot follow.
func checkOptions(n *parser.Node, ps *problems) bool {
	word := keyword(n)
	known := make([]string, 0, len(supported[word]))
	for _, name := range supported[word] {
		known = append(known, "--"+name)
	}
	ok := true
	for _, flag := range n.Flags {
		name, value, _ := strings.Cut(flag, "=")
		switch {
		case !slices.Contains(known, name):
			ps.add(n.StartLine, fmt.Sprintf("%s has no option %s", word, clip(name)), didYouMean(name, "options", known))
			ok = false
		case name == "--from":
			ps.refuse(n.StartLine, copyFrom)
		case name == "--parents" && !strings.EqualFold(value, "false"):
			ps.refuse(n.StartLine, copyParents)
		case name == "--checksum", name == "--keep-git-dir":
			ps.refuse(n.StartLine, addRemoteOption)
		}
	}
	return ok
}

func checkCommandLine(word string, line instructions.ShellDependantCmdLine, at int, ps *problems) {
	if line.PrependShell && strings.TrimSpace(strings.Join(line.CmdLine, "")) == "" {
		ps.add(at, word+" without a command", fmt.Sprintf("%s [] clears that of the base", word))
	}
}

// checkTransfer checks what no variable can change.
func checkTransfer(t transfer, at int, ps *problems) {
	constant := func(s string) bool { return !strings.Contains(s, "$") }
	for _, source := range t.files.SourcePaths {
		if err := t.checkSource(source); err != nil && (constant(source) || isURL(source)) {
			ps.addError(at, err)
		}
	}
	if _, err := parseOwner(t.chown); err != nil && constant(t.chown) {
		ps.addError(at, err)
	}
	if _, err := parseMode(t.chmod); err != nil && constant(t.chmod) {
		ps.addError(at, err)
	}
}
