// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// dockerfileText is a Dockerfile that would make the image, but for times and
// digests.
func dockerfileText(b *bakeOf) (string, error) {
	var s strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&s, format+"\n", args...) }
	line("# What is baked into %s.", printable(b.image))
	line("# \"crane-bake extract\" writes the files that this copies.")
	from := b.bakedFrom()
	if from == "" {
		line("# What it was baked on is not known: give --build-arg BASE=IMAGE.")
		line("ARG BASE")
		from = "${BASE}"
	}
	if chosen := b.chosen(); len(chosen) == 1 {
		from = "--platform=" + chosen[0] + " " + from
	}
	line("FROM %s", printable(from))
	for _, c := range b.copyLines() {
		line("%s", c)
	}
	for _, k := range contractFirst(b.Env.Set) {
		pairLine(line, "ENV", k, b.Env.Set[k])
	}
	for _, k := range slices.Sorted(maps.Keys(b.Labels.Set)) {
		pairLine(line, "LABEL", k, b.Labels.Set[k])
	}
	for _, k := range slices.Sorted(maps.Keys(b.Settings)) {
		for _, l := range settingLines(k, b.Settings[k]) {
			line("%s", l)
		}
	}
	return s.String(), nil
}

// copyLines is an instruction for each directory that bound files go to, and
// one for each tree and archive.
func (b *bakeOf) copyLines() []string {
	var lines, dirs []string
	from := map[string][]string{} // directory to the files that it gets under their own names
	for _, f := range b.sources() {
		dir := strings.TrimSuffix(path.Dir(f.Path), "/") + "/"
		whole := strings.TrimSuffix(f.Path, "/") + "/"
		switch {
		case f.Role == bake.RoleUnpack:
			lines = append(lines, instruction("ADD", f.name, whole))
		case f.Tree:
			lines = append(lines, instruction("COPY", f.name, whole))
		case path.Base(f.name) != path.Base(f.Path):
			lines = append(lines, instruction("COPY", f.name, f.Path))
		default:
			if from[dir] == nil {
				dirs = append(dirs, dir)
			}
			if !slices.Contains(from[dir], f.name) {
				from[dir] = append(from[dir], f.name)
			}
		}
	}
	var files []string
	for _, dir := range dirs {
		files = append(files, instruction("COPY", append(from[dir], dir)...))
	}
	return append(files, lines...)
}

// plainWord matches a word that means itself in an instruction.
var plainWord = lazyregexp.New(`^[A-Za-z0-9._/][A-Za-z0-9._/:@,+=-]*$`)

// instruction is NAME SOURCE... DEST, as a JSON array where a word is not plain.
func instruction(name string, words ...string) string {
	plain := true
	for i, w := range words {
		if plainWord().MatchString(w) {
			continue
		}
		plain = false
		if i < len(words)-1 {
			w = escapePattern(w) // sources are patterns
		}
		words[i] = escapeWord(w)
	}
	if plain {
		return name + " " + strings.Join(words, " ")
	}
	return name + " " + jsonArray(words)
}

// jsonArray is a list of words as instructions take it.
func jsonArray(words []string) string {
	array, _ := encodeJSON(words) // strings always encode
	return escapeUnprintable(strings.TrimSuffix(string(array), "\n"), func(r rune) string {
		var s strings.Builder
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&s, `\u%04x`, unit)
		}
		return s.String()
	})
}

// escapeUnprintable replaces what printable would.
func escapeUnprintable(text string, escape func(rune) string) string {
	var s strings.Builder
	for _, r := range text {
		if r == '\n' || printable(string(r)) == string(r) {
			s.WriteRune(r)
		} else {
			s.WriteString(escape(r))
		}
	}
	return s.String()
}

// Replacers for what Docker reads: patterns of file names as Go's path/filepath
// does, words as a shell does.
var (
	escapePattern = strings.NewReplacer("[", "[[]", "*", "[*]", "?", "[?]", `\`, `\\`).Replace
	escapeWord    = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`, "$", `\$`).Replace
	escapeQuoted  = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`).Replace
)

// pairLine writes ENV or LABEL KEY=VALUE. A Dockerfile has no way to write a
// line break in a value, nor an escape for what no terminal should see.
func pairLine(line func(string, ...any), name, key, value string) {
	switch {
	case printable(key+value) != key+value:
		line("# %s %s has a line break or the like, which a Dockerfile cannot say: %s", name, printable(key), printable(value))
		return
	case !plainWord().MatchString(value):
		value = `"` + escapeQuoted(value) + `"`
	}
	if !plainWord().MatchString(key) || strings.Contains(key, "=") {
		key = `"` + escapeQuoted(key) + `"`
	}
	line("%s %s=%s", name, key, value)
}

// contractFirst is the names of variables, those of the engine contract first.
func contractFirst(env map[string]string) []string {
	var names []string
	for _, k := range engine.Variables() {
		if _, ok := env[k]; ok {
			names = append(names, k)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(env)) {
		if !slices.Contains(engine.Variables(), k) {
			names = append(names, k)
		}
	}
	return names
}

// settingLines is the instructions for a member of the config.
func settingLines(key string, raw json.RawMessage) []string {
	var text string
	var list []string
	isText := json.Unmarshal(raw, &text) == nil && text != ""
	isList := json.Unmarshal(raw, &list) == nil
	name := map[string]string{
		"User": "USER", "WorkingDir": "WORKDIR", "StopSignal": "STOPSIGNAL",
		"Entrypoint": "ENTRYPOINT", "Cmd": "CMD", "Volumes": "VOLUME", "ExposedPorts": "EXPOSE",
	}[key]
	switch {
	case name == "EXPOSE" && isList && !slices.ContainsFunc(list, func(port string) bool { return !plainWord().MatchString(port) }):
		return []string{name + " " + strings.Join(list, " ")}
	case (name == "ENTRYPOINT" || name == "CMD" || name == "VOLUME") && isList:
		if list == nil {
			list = []string{}
		}
		return []string{name + " " + jsonArray(list)}
	case (name == "USER" || name == "WORKDIR" || name == "STOPSIGNAL") && isText && printable(text) == text:
		return []string{name + " " + escapeWord(text)}
	}
	return []string{fmt.Sprintf("# The image's config also has %s: %s", printable(key), printable(string(raw)))}
}
