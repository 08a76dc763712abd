// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

type kind int

const (
	broken kind = iota // a problem has been added
	null
	scalar
	list
	mapping
)

func (k kind) String() string {
	return [...]string{"nothing", "null", "a scalar", "a list", "a mapping"}[k]
}

// A node is a value of a file: aliases are resolved, tags checked, keys plain
// and unique.
type node struct {
	pos
	kind    kind
	text    string  // of a scalar, as it is written
	items   []*node // of a list
	entries []entry // of a mapping, in file order
}

type entry struct {
	pos
	key   string
	value *node
}

// buildTree turns a parsed document into nodes. It returns nil if the
// document is too large, aliases counted as often as they are used.
func buildTree(doc *yaml.Node, ps *problems) *node {
	t := tree{problems: ps, open: map[*yaml.Node]bool{}}
	root := t.node(doc.Content[0])
	if t.full {
		return nil
	}
	return root
}

type tree struct {
	problems *problems
	nodes    int
	text     int
	open     map[*yaml.Node]bool // anchored nodes that are being built
	alias    *yaml.Node          // the outermost alias that is being built
	full     bool
}

// admit counts y and tells whether there is room for it.
func (t *tree) admit(y *yaml.Node) bool {
	if t.full {
		return false
	}
	t.nodes++
	t.text += len(y.Value)
	if t.alias != nil {
		y = t.alias
	}
	switch at := (pos{y.Line, y.Column}); {
	case t.nodes > maxNodes:
		t.problems.add(at, fmt.Sprintf("more than %d values, each use of an alias counted", maxNodes), "")
	case t.text > maxText:
		t.problems.add(at, fmt.Sprintf("more than %d MiB of text, each use of an alias counted", maxText>>20), "")
	default:
		return true
	}
	t.full = true
	return false
}

func (t *tree) node(y *yaml.Node) *node {
	n := &node{pos: pos{y.Line, y.Column}}
	if y.Kind == yaml.AliasNode {
		if t.alias == nil {
			t.alias = y
			defer func() { t.alias = nil }()
		}
		if y = y.Alias; t.open[y] {
			t.problems.add(n.pos, fmt.Sprintf("alias *%s is part of what it stands for", y.Anchor), "")
			return n
		}
	}
	if !t.admit(y) {
		return n
	}
	if y.Anchor != "" {
		t.open[y] = true
		defer delete(t.open, y)
	}
	if err := checkTag(y); err != nil {
		t.problems.addError(n.pos, err)
		return n
	}
	switch y.Kind {
	case yaml.ScalarNode:
		t.scalar(n, y)
	case yaml.SequenceNode:
		n.kind = list
		for _, c := range y.Content {
			n.items = append(n.items, t.node(c))
		}
	case yaml.MappingNode:
		n.kind = mapping
		t.entries(n, y)
	}
	return n
}

func (t *tree) scalar(n *node, y *yaml.Node) {
	switch {
	case y.Tag == "!!null":
		n.kind, n.text = null, y.Value
	case strings.ContainsRune(y.Value, 0):
		t.problems.add(n.pos, "a value holds a NUL character", "")
	default:
		n.kind, n.text = scalar, y.Value
	}
}

func (t *tree) entries(n *node, y *yaml.Node) {
	first := map[string]pos{}
	for i := 0; i+1 < len(y.Content) && !t.full; i += 2 {
		key := t.node(y.Content[i])
		value := t.node(y.Content[i+1])
		at := key.pos
		switch {
		case key.kind == broken:
			continue
		case y.Content[i].Tag == "!!merge":
			t.problems.add(at, `merge keys ("<<") are not supported`, "share keys through defaults, a profile, or an alias for the whole mapping")
			continue
		case key.kind == list || key.kind == mapping:
			t.problems.add(at, fmt.Sprintf("a key is %s; want a scalar", key.kind), "")
			continue
		case key.text == "":
			t.problems.add(at, "a key is empty", "")
			continue
		}
		if f, ok := first[key.text]; ok {
			t.problems.add(at, fmt.Sprintf("key %q is repeated; it is first in line %d", key.text, f.line), "")
			continue
		}
		first[key.text] = at
		n.entries = append(n.entries, entry{at, key.text, value})
	}
}

// coreTags are the tags of YAML's core schema (YAML 1.2, section 10.3).
var coreTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!null", "!!seq", "!!map"}

// checkTag refuses an explicit tag that is not a core tag or that contradicts
// the value.
func checkTag(y *yaml.Node) error {
	if y.Style&yaml.TaggedStyle == 0 {
		return nil
	}
	tag := y.ShortTag()
	if !slices.Contains(coreTags, tag) {
		return &fault{fmt.Sprintf("tag %s is not supported", clip(tag)), "remove it; values need no tags"}
	}
	untagged := yaml.Node{Kind: y.Kind, Value: y.Value}
	switch is := untagged.ShortTag(); {
	case is == tag, tag == "!!float" && is == "!!int", tag == "!!str" && y.Kind == yaml.ScalarNode:
		return nil
	}
	return fmt.Errorf("tag %s does not fit the value", tag)
}
