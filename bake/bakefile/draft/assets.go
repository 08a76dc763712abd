// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
)

// An asset is a further file that something names.
type asset struct {
	path, dest string // dest is empty for the base name
	by         string // the file that names it
}

// chooseAssets takes the further files that the model or a stream names, and
// remembers the others.
func (c *choices) chooseAssets() {
	var texts []*file
	if c.model != nil {
		texts = append(texts, c.model)
	}
	for _, w := range c.streams {
		if w.chosen != nil && !slices.Contains(texts, w.chosen) {
			texts = append(texts, w.chosen)
		}
	}
	for _, f := range c.findings.others {
		if !c.bakes(f, texts) {
			c.left = append(c.left, f.name)
		}
	}
	for _, f := range slices.Concat(c.findings.models, c.findings.schemas, c.findings.streams) {
		if !c.used(f) && !slices.Contains(c.models, f) && !c.asked(f) && !c.bakes(f, texts) {
			c.left = append(c.left, f.name)
		}
	}
	slices.Sort(c.left)
}

// bakes adds f to the assets if a text names it.
func (c *choices) bakes(f *file, texts []*file) bool {
	if strings.Contains(f.name, "=") {
		return false // PATH=DEST has no escape
	}
	base, below := path.Base(f.name), c.below(f)
	top, _, _ := strings.Cut(below, "/")
	for _, text := range texts {
		switch {
		case f.depth > 0 && (mentions(text.content, below) || mentions(text.content, bake.DefaultAssetsDir+"/"+top)):
			c.assets = append(c.assets, asset{f.name, below, text.name})
		case mentions(text.content, base), isModule(base) && imports(text.content, stem(base)):
			c.assets = append(c.assets, asset{f.name, "", text.name})
		default:
			continue
		}
		return true
	}
	return false
}

// below is f's name below the drafted directory.
func (c *choices) below(f *file) string {
	parts := strings.Split(f.name, "/")
	return path.Join(parts[len(parts)-1-f.depth:]...)
}

// asked tells whether f is a candidate of an open line, which names it.
func (c *choices) asked(f *file) bool {
	return slices.ContainsFunc(slices.Concat(c.schemas, c.streams), func(w *want) bool { return w.chosen == nil && slices.Contains(w.set, f) })
}

// maxSearched bounds how much of a file is searched for names.
const maxSearched = 1 << 20

// mentions tells whether text has name, not as a part of a longer one.
func mentions(text []byte, name string) bool {
	text = text[:min(len(text), maxSearched)]
	if !bytes.Contains(text, []byte(name)) {
		return false
	}
	re := regexp.MustCompile(`(^|[^\w.-])` + regexp.QuoteMeta(name) + `($|[^\w.-]|\.\W|\.$)`)
	return re.Match(text)
}

func isModule(base string) bool {
	return slices.Contains([]string{".py", ".so", ".R", ".m", ".jar"}, path.Ext(base))
}

// imports tells whether a line of text imports a module, or an annotation says
// that it is attached.
func imports(text []byte, module string) bool {
	text = text[:min(len(text), maxSearched)]
	if !bytes.Contains(text, []byte(module)) {
		return false
	}
	re := regexp.MustCompile(`(?m)(\bimport\b|\bfrom\b|\.module-attached\s*:)[^\n]*\b` + regexp.QuoteMeta(module) + `\b`)
	return re.Match(text)
}
