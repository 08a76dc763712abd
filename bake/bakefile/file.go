// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"slices"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/lazyregexp"
	"github.com/crane-bake/crane-bake/internal/spelling"
)

// A file is a decoded bake file. Its values are not expanded yet, so that
// only those that take effect need their variables.
type file struct {
	fleet    bool
	common   section // the keys of a plain file, the defaults of a fleet
	bakes    []named // in file order; none in a plain file
	profiles []named // in file order
}

type named struct {
	name string
	section
}

func decodeFile(root *node, ps *problems) file {
	f := file{}
	if !wants(root, mapping, "the file", ps) {
		f.common.broken = true
		return f
	}
	for _, e := range root.entries {
		switch e.key {
		case "profiles":
			f.profiles = decodeNamed(e, "profile", ps)
		case "defaults":
			f.fleet = true
			f.common = decodeSection(e.value, "defaults", nil, ps)
		case "bakes":
			f.fleet = true
			f.bakes = decodeNamed(e, "bake", ps)
		}
	}
	if !f.fleet {
		f.common = decodeSection(root, "the file", topKeys, ps)
		return f
	}
	hasBakes := false
	for _, e := range root.entries {
		switch {
		case e.key == "bakes":
			hasBakes = true
		case fieldNamed(e.key) != nil:
			ps.add(e.pos, fmt.Sprintf("key %q is beside bakes or defaults", e.key), "put it under defaults")
		case !slices.Contains(topKeys, e.key):
			hint, _ := didYouMean(e.key, "keys", topKeys)
			ps.add(e.pos, fmt.Sprintf("unknown key %q", e.key), hint)
		}
	}
	if !hasBakes {
		ps.add(root.pos, "defaults without bakes", "add bakes, a mapping of names to bakes, or move the keys of defaults to the top level")
	}
	return f
}

var validName = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// decodeNamed reads the mapping of names to sections in e.
func decodeNamed(e entry, what string, ps *problems) []named {
	if !wants(e.value, mapping, e.key, ps) {
		return nil
	}
	if len(e.value.entries) == 0 && what == "bake" {
		ps.add(e.value.pos, "bakes is empty", "")
	}
	var all []named
	for _, c := range e.value.entries {
		if !validName().MatchString(c.key) {
			ps.add(c.pos, fmt.Sprintf("%s name %s: want letters, digits, \".\", \"_\" and \"-\", the first a letter or digit", what, clip(c.key)), "")
		}
		s := decodeSection(c.value, fmt.Sprintf("%s %q", what, c.key), nil, ps)
		s.pos = c.pos
		all = append(all, named{c.key, s})
	}
	return all
}

func find(all []named, name string) *named {
	if i := slices.IndexFunc(all, func(n named) bool { return n.name == name }); i >= 0 {
		return &all[i]
	}
	return nil
}

func names(all []named) (ns []string) {
	for _, n := range all {
		ns = append(ns, n.name)
	}
	return ns
}

// check tells whether the file has what opts names.
func (f *file) check(opts Options, ps *problems) bool {
	ok := true
	if opts.Profile != "" && find(f.profiles, opts.Profile) == nil {
		known := names(f.profiles)
		var hint string
		if name := spelling.Nearest(opts.Profile, known); name != "" {
			hint = fmt.Sprintf("did you mean %q?", name)
		}
		ps.add(pos{}, fmt.Sprintf("unknown profile %q; the file's profiles: %s", opts.Profile, enumerate(known)), hint)
		ok = false
	}
	for _, name := range opts.Names {
		if find(f.bakes, name) != nil {
			continue
		}
		ok = false
		if !f.fleet {
			ps.add(pos{}, fmt.Sprintf("no bake %q: not a fleet file", name), "leave the name out")
			continue
		}
		hint, _ := didYouMean(name, "bakes", names(f.bakes))
		ps.add(pos{}, fmt.Sprintf("no bake %q", name), hint)
	}
	return ok
}

// bakesFor gives the bakes that opts chooses: the common keys, then those of
// the bake, then those of the profile.
func (f *file) bakesFor(opts Options, dir string, ps *problems) []Bake {
	var profile section
	if p := find(f.profiles, opts.Profile); p != nil {
		profile = p.section
	}
	e := evaluation{modelGiven: opts.ModelGiven, lookup: opts.LookupEnv, dir: dir, problems: ps}
	if !f.fleet {
		spec := e.spec(named{"", section{pos: pos{1, 1}}}, merge(f.common, profile))
		return []Bake{{Spec: spec}}
	}
	var bakes []Bake
	for _, b := range f.bakes {
		if len(opts.Names) > 0 && !slices.Contains(opts.Names, b.name) {
			continue
		}
		bakes = append(bakes, Bake{b.name, e.spec(b, merge(f.common, b.section, profile))})
		if e.full {
			break
		}
	}
	return bakes
}

// An evaluation makes Specs, and bounds what all of them hold.
type evaluation struct {
	lookup   func(string) (string, bool)
	dir      string
	problems *problems
	values   int
	text     int
	full     bool

	modelGiven bool // Options.ModelGiven
}

// spec expands the merged keys of bake b.
func (e *evaluation) spec(b named, merged section) bake.Spec {
	var spec bake.Spec
	for _, f := range fields {
		s, ok := merged.fields[f.name]
		if !ok {
			continue
		}
		var vs []value
		for _, t := range s.texts {
			if !e.admit(t) {
				return spec
			}
			if !t.read(e.lookup, maxText-e.text, e.problems) {
				s.broken = true
				continue
			}
			e.text += len(t.key) + len(t.value)
			vs = append(vs, value{t.key, t.value})
		}
		if !s.broken {
			f.put(&spec, e.dir, vs)
		}
	}
	if _, ok := merged.fields["model"]; !ok && !merged.broken && !e.modelGiven && !bindsItself(merged, spec) {
		e.missingModel(b)
	}
	return spec
}

// bindsItself reports whether a bake without a model may have one: copies put
// files anywhere, and the variables of the engine contract name them.
func bindsItself(merged section, s bake.Spec) bool {
	copies := merged.fields["copies"]
	return s.Env["MODEL"] != "" || len(copies.texts) > 0 || copies.broken
}

func (e *evaluation) missingModel(b named) {
	label := "the file"
	if b.name != "" {
		label = fmt.Sprintf("bake %q", b.name)
	}
	e.problems.add(b.pos, label+" has no model", `add "model: FILE"`)
}

// admit counts t and tells whether there is room for it.
func (e *evaluation) admit(t *text) bool {
	e.values++
	switch {
	case e.values > maxNodes:
		e.problems.add(t.pos, fmt.Sprintf("more than %d values in all bakes", maxNodes), "")
	case e.text > maxText:
		e.problems.add(t.pos, fmt.Sprintf("more than %d MiB of text in all bakes", maxText>>20), "")
	default:
		return true
	}
	e.full = true
	return false
}
