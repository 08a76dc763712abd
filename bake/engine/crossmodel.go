// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"bytes"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/lex"
)

// checkReferences is X-16.
func (c *checker) checkReferences() {
	if !c.modelOK || slices.ContainsFunc(slices.Collect(maps.Values(c.streams)), func(s *boundStream) bool { return !s.ok }) {
		return
	}
	bound := c.bound()
	mentioned := c.mentions()
	groups := make(map[string][]string)
	for _, p := range slices.Sorted(maps.Keys(c.files.files)) {
		if f := c.files.files[p]; f.Baked && f.Mode.IsRegular() && !slices.Contains(bound, p) {
			dir := c.groupOf(p)
			groups[dir] = append(groups[dir], p)
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(groups)) {
		if _, below := c.files.owns(dir); below && mentioned(path.Base(dir)) {
			continue // opened by a name that is put together, or a package
		}
		unused := groups[dir]
		if len(unused) <= 1000 { // of more, none is looked for one by one
			unused = slices.DeleteFunc(unused, func(p string) bool {
				stem := strings.TrimSuffix(path.Base(p), path.Ext(p))
				return mentioned(path.Base(p)) || importable(p) && mentioned(stem) || slices.Contains(c.model.modules, stem)
			})
		}
		if len(unused) > 5 {
			c.add(x16.says("%d files in %s are not referenced", len(unused), dir).in(dir).hint("leave them out, or name them in the model"))
			continue
		}
		for _, p := range unused {
			c.add(x16.says("%s is not referenced", p).in(c.files.files[p].name()).hint("leave it out, or name it in the model"))
		}
	}
}

// maxSearched is how many bytes are searched for the names of files: one file
// of many that is not referenced is not worth more.
const maxSearched = 1 << 30

// mentions returns a function that tells whether the model or a stream mentions
// a word. When it has searched enough, it says yes.
func (c *checker) mentions() func(word string) bool {
	var streams [][]byte
	size := len(c.model.source) + len(c.model.content)
	for _, n := range c.usable() {
		streams = append(streams, c.streams[n].root.Raw())
		size += len(streams[len(streams)-1])
	}
	searched := 0
	return func(word string) bool {
		searched += size
		return searched > maxSearched || c.model.mentions(word) ||
			slices.ContainsFunc(streams, func(s []byte) bool { return bytes.Contains(s, []byte(word)) })
	}
}

// groupOf is the directory that stands for a file: below a directory of the
// bake, the first one.
func (c *checker) groupOf(p string) string {
	dir := path.Dir(p)
	if root, ok := c.files.owns(dir); ok {
		first, _, _ := strings.Cut(strings.TrimPrefix(dir, root+"/"), "/")
		return path.Join(root, first)
	}
	return dir
}

// importable tells whether models name the file without its extension.
func importable(p string) bool {
	return slices.Contains([]string{".py", ".so", ".R", ".m", ".jar", ".class"}, path.Ext(p))
}

// openers are functions whose argument is a file to read.
var openers = []string{
	"open", "load", "read_csv", "read_table", "read_pickle", "read_json", "read_excel", "read_parquet", "loadtxt", "genfromtxt", "load_model", "load_weights",
	"load_source", "readRDS", "read.csv", "read.table", "readLines", "fread", "source", "csvread", "dlmread", "importdata", "fopen",
}

// checkOpened is.
func (c *checker) checkOpened() {
	if !c.modelOK {
		return
	}
	m := c.model
	code := beforeMain(m.codeWithoutLines())
	said := make(map[string]bool) // literals, with those of them that may be opened
	for i, t := range code {
		if t.Kind != lex.String || strings.Contains(t.Prefix(), "f") {
			continue
		}
		value := t.Value()
		opened := opensRelative(code, i)
		if done, seen := said[value]; done || seen && !opened {
			continue
		}
		f, wrong := c.absoluteLiteral(value)
		if !wrong && opened {
			f, wrong = c.relativeLiteral(value)
		}
		said[value] = opened || wrong
		if wrong {
			m.atToken(t, f)
		}
	}
	c.found = append(c.found, m.findings()...) // its own are there already
}

// beforeMain leaves out Python's main program, which engines do not run.
func beforeMain(code []lex.Token) []lex.Token {
	for i, t := range code {
		if t.First && t.Indent == 0 && t.Is("if") && i+1 < len(code) && code[i+1].Is("__name__") {
			return code[:i]
		}
	}
	return code
}

// absoluteLiteral is X-18.
func (c *checker) absoluteLiteral(value string) (Finding, bool) {
	if !path.IsAbs(value) || strings.ContainsAny(value, "%{}*?\\\n$") || len(value) > 1024 {
		return Finding{}, false
	}
	p := path.Clean(value)
	if _, owned := c.files.owns(p); !owned {
		return Finding{}, false
	}
	if kind, _ := c.files.stat(p); kind != missing {
		return Finding{}, false
	}
	for other := range c.files.files {
		if strings.HasPrefix(other, value) {
			return Finding{}, false // the beginning of a path
		}
	}
	return x18.says("%s is named by the model but not in the image", echoPath(p)).hint("bake it with --asset"), true
}

// opensRelative tells whether the string at i is what a function is to read.
func opensRelative(code []lex.Token, i int) bool {
	// f("x"), f(file = "x"), imp.load_source(name, "x")
	at := i - 1
	if at >= 1 && code[at].Is("=") && code[at-1].Kind == lex.Name {
		if !slices.Contains([]string{"file", "path", "filename", "con", "io", "filepath_or_buffer"}, code[at-1].Text) {
			return false
		}
		at -= 2
	}
	if at >= 2 && code[at].Is(",") && code[at-1].Kind == lex.String && code[at-2].Is("(") {
		return at >= 3 && code[at-3].Is("load_source")
	}
	if at < 1 || !code[at].Is("(") || code[at-1].Kind != lex.Name || !slices.Contains(openers, code[at-1].Text) || code[at-1].Is("load_source") {
		return false
	}
	// open("x", "w") writes.
	for j := i + 1; j < len(code) && j < i+8 && code[j].Depth > code[at].Depth; j++ {
		if mode := code[j]; mode.Kind == lex.String && mode.Value() != "" && strings.IndexByte("wax", mode.Value()[0]) >= 0 && len(mode.Value()) <= 3 {
			return false
		}
	}
	return true
}

// relativeLiteral is X-17.
func (c *checker) relativeLiteral(value string) (Finding, bool) {
	looksLikeFile := strings.Contains(value, ".") && !strings.HasSuffix(value, ".") || strings.Contains(value, "/")
	if path.IsAbs(value) || !looksLikeFile || strings.Contains(value, "://") || strings.ContainsAny(value, " \t\n%{}<>*?:\\") || len(value) > 200 {
		return Finding{}, false
	}
	for _, a := range c.attachments {
		if a.failed || a.partial || a.has(path.Clean(value)) {
			return Finding{}, false
		}
	}
	for _, dir := range []string{"/fastscore", "/"} {
		if kind, _ := c.files.stat(path.Join(dir, value)); kind == isFile || kind == isDir {
			return Finding{}, false
		}
	}
	hint := "name it by its absolute in-image path"
	for _, p := range slices.Sorted(maps.Keys(c.files.files)) {
		if c.files.files[p].Baked && path.Base(p) == path.Base(value) {
			hint = fmt.Sprintf("write %q", p)
			break
		}
	}
	return x17.says("%s is relative: without an attachment it is not in the working directory", quote(echoPath(value))).hint("%s", hint), true
}
