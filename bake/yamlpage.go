// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// page is a YAML mapping that is being written.
type page struct{ text strings.Builder }

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.text, format+"\n", args...) }

func (p *page) scalar(key, value string) {
	if value != "" {
		p.line("%s: %s", key, yamlValue(value))
	}
}

// list writes a list that has something.
func (p *page) list(key string, values []string) {
	if len(values) > 0 {
		p.words(key, values)
	}
}

// words writes a list, [] without any.
func (p *page) words(key string, values []string) {
	if len(values) == 0 {
		p.line("%s: []", key)
		return
	}
	p.line("%s:", key)
	for _, v := range values {
		p.line("  - %s", yamlValue(v))
	}
}

// open begins a list or mapping of n values, unless there are none.
func (p *page) open(key string, n int) {
	if n > 0 {
		p.line("%s:", key)
	}
}

// mapping writes a mapping that has something, sorted by key.
func (p *page) mapping(key string, m map[string]string) {
	p.open(key, len(m))
	for _, k := range sortedKeys(m) {
		p.entry(k, m[k])
	}
}

// entry writes an entry of a mapping.
func (p *page) entry(key, value string) {
	quoted := yamlText(key)
	if len(quoted) > maxKey {
		p.line("  ? %s\n  : %s", quoted, yamlValue(value))
		return
	}
	p.line("  %s: %s", quoted, yamlValue(value))
}

// maxKey is the longest key that needs no "?" (YAML 1.2, section 8.2.2), with
// room to spare.
const maxKey = 1000

func (p *page) copies(copies []Copy) {
	p.open("copies", len(copies))
	for _, c := range copies {
		source := "from"
		switch {
		case c.Unpack:
			source = "unpack"
		case c.Tree:
			source = "tree"
		}
		members := []string{"to", c.Dest}
		if c.Path != "" {
			members = []string{source, local(c.Path), "to", c.Dest}
		}
		if c.Owner != nil {
			members = append(members, "owner", c.Owner.text())
		}
		if c.Mode != nil {
			members = append(members, "mode", fmt.Sprintf("%04o", octal(*c.Mode)))
		}
		start := "- "
		for pair := range slices.Chunk(members, 2) {
			p.line("  %s%s: %s", start, pair[0], yamlValue(pair[1]))
			start = "  "
		}
	}
}

func (p *page) settings(s Settings) {
	p.scalar("user", s.User)
	p.scalar("workdir", s.WorkingDir)
	if s.Entrypoint != nil {
		p.words("entrypoint", s.Entrypoint)
	}
	if s.Cmd != nil {
		p.words("cmd", s.Cmd)
	}
	p.scalar("stopSignal", s.StopSignal)
	p.list("ports", s.ExposedPorts)
	p.list("volumes", s.Volumes)
}

// yamlValue is a value that expands to s.
func yamlValue(s string) string { return yamlText(strings.ReplaceAll(s, "$", "$$")) }

// plainText is what YAML takes for text as it is, within blocks.
var plainText = lazyregexp.New(`^[A-Za-z0-9/][A-Za-z0-9_./@+=,;-]*(:[A-Za-z0-9_./@+=,;-]+)*$`)

// yamlText is s as a YAML scalar on one line (YAML 1.2, section 5.7).
func yamlText(s string) string {
	if plainText().MatchString(s) && !strings.EqualFold(s, "null") {
		return s
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r >= ' ' && r < 0x7f, r > 0xa0 && unicode.IsPrint(r) && r < 0x10000:
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// comment is text that stays in its line.
func comment(s string) string {
	if q := strconv.Quote(s); q != `"`+s+`"` {
		return q
	}
	return s
}
