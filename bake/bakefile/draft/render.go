// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake"
)

// render writes the choices down.
func (c *choices) render() Draft {
	p := &page{}
	p.line("# Drafted by crane-bake init. The comments say why a file was chosen; docs/bakefile.md")
	p.line("# has all keys. File names are relative to this file.")
	p.line("")
	p.line(`# The engine image to start from. A tag can move: name a release, or add "@sha256:…".`)
	p.line("base: %s", bake.DefaultBase)
	p.line("")
	p.line("# Where to publish.")
	p.line(`# tags: ["registry.example.com/team/NAME:${VERSION:-dev}"]`)
	c.renderModel(p)
	c.renderSchemas(p)
	c.renderStreams(p)
	c.renderUnpack(p)
	c.renderAssets(p)
	p.line("")
	p.line("# Where engines find Connect; without this the base's own value stays.")
	p.line("# connectPrefix: %s", bake.DefaultConnectPrefix)
	return Draft{[]byte(p.text.String()), p.questions}
}

func (c *choices) renderModel(p *page) {
	p.line("")
	if c.model != nil {
		p.line("# The model, run by %s: %s.", c.model.model.Runner, c.modelWhy)
		p.line("model: %s", value(c.model.name))
		return
	}
	p.line("# The model. Its extension selects the runner.")
	question := "which file is the model? none was found"
	if len(c.models) > 0 {
		question = "which file is the model? candidates: " + list(names(c.models))
	}
	p.ask("# ", "model", question)
}

func (c *choices) renderSchemas(p *page) {
	if len(c.schemas) == 0 {
		c.renderSpare(p, "schemas: {NAME: %s}", "No annotation such as fastscore.schema.0: NAME asks for a schema, so these are not bound", c.findings.schemas)
		return
	}
	p.line("")
	p.line("# Schema name: Avro file. The names are those that annotations and streams use.")
	comment := opening(p, "schemas", c.schemas)
	for _, w := range c.schemas {
		what := fmt.Sprintf("%s (%s)", slotList(w.slots), w.from)
		switch {
		case !validName().MatchString(w.name):
			p.ask(comment, strconv.Quote(w.name), fmt.Sprintf("what is the schema of %s? no variable can carry this name: change it there", what))
		case w.chosen != nil:
			p.line("  %s: %s  # %s: %s", key(w.name), value(w.chosen.name), what, w.why)
		default:
			p.ask(comment, key(w.name), fmt.Sprintf("which file is schema %q of %s? %s", w.name, what, c.candidates(w, c.findings.schemas)))
		}
	}
}

func (c *choices) renderStreams(p *page) {
	if len(c.streams) == 0 {
		c.renderSpare(p, "streams: {0: %s}", "The model uses no slot, so these are not bound", c.findings.streams)
		return
	}
	p.line("")
	p.line("# Slot: stream descriptor. Even slots are inputs, odd slots are outputs.")
	if len(c.findings.streams) == 0 {
		p.line(`# A file with {"Transport": "REST", "Encoding": "json"} in it is one.`)
	}
	comment := opening(p, "streams", c.streams)
	for _, w := range c.streams {
		if w.chosen != nil {
			p.line("  %d: %s  # %s: %s", w.slot(), value(w.chosen.name), w.side(), w.why)
			continue
		}
		p.ask(comment, strconv.Itoa(w.slot()), fmt.Sprintf("which file is the stream of slot %d, an %s? %s", w.slot(), w.side(), c.candidates(w, c.findings.streams)))
	}
}

// opening begins a mapping, as a comment where it has nothing but comments: a
// key without a value is an error. It returns how comments in it begin.
func opening(p *page, name string, wants []*want) string {
	if slices.ContainsFunc(wants, func(w *want) bool { return w.chosen != nil }) {
		p.line("%s:", name)
		return "  # "
	}
	p.line("# %s:", name)
	return "#   "
}

// candidates says what an open line could be.
func (c *choices) candidates(w *want, all []*file) string {
	switch {
	case len(w.set) > 0:
		return "candidates: " + list(names(w.set))
	case len(all) > 0:
		return "none is left of " + list(names(all))
	}
	return "none was found"
}

// renderSpare mentions files that nothing asks for.
func (c *choices) renderSpare(p *page, example, why string, all []*file) {
	all = slices.DeleteFunc(slices.Clone(all), func(f *file) bool { return !slices.Contains(c.left, f.name) })
	if len(all) == 0 {
		return
	}
	if c.model == nil {
		why = "Without a model nothing says where these belong"
	}
	p.line("")
	p.line("# %s: %s", why, list(names(all)))
	p.line("# "+example, value(all[0].name))
}

func (c *choices) renderUnpack(p *page) {
	if len(c.unpack) == 0 {
		return
	}
	p.line("")
	p.line("# Archives, and the directory below %s that each is unpacked into; \"\" is %s itself.", bake.DefaultAssetsDir, bake.DefaultAssetsDir)
	p.line("# Models open what was in them by absolute path. Under attachments: they would stay archives,")
	p.line("# bound by a variable whose format is not documented.")
	p.line("unpack:")
	for _, f := range c.unpack {
		p.line(`  %s: ""`, key(f.name))
	}
}

func (c *choices) renderAssets(p *page) {
	if len(c.assets) > 0 {
		p.line("")
		p.line("# Further files; without =DEST they go to %s.", bake.DefaultAssetsDir)
		p.line("assets:")
		for _, a := range c.assets {
			text := a.path
			if a.dest != "" {
				text += "=" + a.dest
			}
			p.line("  - %s  # %s names it", value(text), path.Base(a.by))
		}
	}
	left := slices.DeleteFunc(slices.Clone(c.left), c.isSpare)
	if len(left) == 0 {
		return
	}
	p.line("")
	p.line("# Left out, since nothing refers to them: %s", list(left))
	if len(c.assets) == 0 {
		p.line("# assets: [%s]", value(left[0]))
	}
}

// isSpare tells whether renderSpare has the file.
func (c *choices) isSpare(name string) bool {
	is := func(f *file) bool { return f.name == name }
	return len(c.schemas) == 0 && slices.ContainsFunc(c.findings.schemas, is) || len(c.streams) == 0 && slices.ContainsFunc(c.findings.streams, is)
}

func names(files []*file) []string {
	all := make([]string, len(files))
	for i, f := range files {
		all[i] = f.name
	}
	return all
}

// slotList is slots in words.
func slotList(slots []int) string {
	var all []string
	for _, n := range slots {
		all = append(all, strconv.Itoa(n))
	}
	if len(all) == 1 {
		return fmt.Sprintf("%s slot %s", sideOf(slots[0]), all[0])
	}
	return "slots " + strings.Join(all, ", ")
}
