// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package jsonpos

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"go.yaml.in/yaml/v3"

	"github.com/crane-bake/crane-bake/internal/lazyregexp"
)

// mark says that the text from offset on was written for that place of the
// document that was read.
type mark struct {
	offset, line, column uint32
}

// ParseYAML reads the first YAML document of src as JSON: positions are those
// in src. Aliases are followed, but not so far that a small document becomes a
// huge one. The error is a *SyntaxError, or a *SizeError if the document could
// have more than limit keys and values.
func ParseYAML(src []byte, limit int) (*Doc, error) {
	// The decoder makes some 200 bytes of a value and cannot be stopped. Most
	// values follow one of these characters, and rarely do two follow one.
	values := 1
	for _, c := range []byte("\n:,-?[{") {
		values += bytes.Count(src, []byte{c})
	}
	if values > limit {
		return nil, &SizeError{}
	}
	var root yaml.Node
	if err := yaml.Unmarshal(src, &root); err != nil {
		return nil, yamlError(err)
	}
	if root.Kind == 0 {
		return nil, &SyntaxError{1, 1, "is empty"}
	}
	w := &yamlWriter{maxSteps: 1<<16 + 4*values, maxSize: 1<<20 + 4*len(src)}
	if err := w.write(&root, 0); err != nil {
		return nil, err
	}
	doc, err := Parse(w.out.Bytes(), math.MaxInt)
	if err != nil {
		return nil, &SyntaxError{1, 1, "cannot be read as JSON"}
	}
	doc.marks = w.marks
	return doc, nil
}

var yamlLine = lazyregexp.New(`^yaml: (?:line (\d+): )?(.*)`)

// yamlError takes the line out of the decoder's message.
func yamlError(err error) *SyntaxError {
	m := yamlLine().FindStringSubmatch(err.Error())
	if m == nil {
		return &SyntaxError{1, 1, "is not YAML"}
	}
	line, err := strconv.Atoi(m[1])
	if err != nil {
		line = 1
	}
	return &SyntaxError{line, 1, m[2]}
}

// yamlWriter writes YAML nodes as JSON and keeps their places.
type yamlWriter struct {
	out   bytes.Buffer
	marks []mark
	steps int // nodes visited

	maxSteps, maxSize int // of steps, and of bytes in out
}

// enter refuses a node that is too deep, and an alias too many.
func (w *yamlWriter) enter(n *yaml.Node, depth int) error {
	w.steps++
	switch {
	case depth > MaxDepth:
		return &SyntaxError{n.Line, n.Column, fmt.Sprintf("nested deeper than %d levels", MaxDepth)}
	case w.steps > w.maxSteps || w.out.Len() > w.maxSize:
		return &SyntaxError{n.Line, n.Column, "aliases make the document too large"}
	}
	return nil
}

func (w *yamlWriter) write(n *yaml.Node, depth int) error {
	if err := w.enter(n, depth); err != nil {
		return err
	}
	w.mark(n)
	switch n.Kind {
	case yaml.DocumentNode:
		return w.write(n.Content[0], depth)
	case yaml.AliasNode:
		return w.write(n.Alias, depth+1)
	case yaml.SequenceNode:
		w.out.WriteByte('[')
		for i, item := range n.Content {
			if i > 0 {
				w.out.WriteByte(',')
			}
			if err := w.write(item, depth+1); err != nil {
				return err
			}
		}
		w.out.WriteByte(']')
		return nil
	case yaml.MappingNode:
		w.out.WriteByte('{')
		if err := w.members(n, depth+1); err != nil {
			return err
		}
		w.out.WriteByte('}')
		return nil
	}
	w.scalar(n)
	return nil
}

func (w *yamlWriter) mark(n *yaml.Node) {
	offset := uint32(w.out.Len())
	if k := len(w.marks); k > 0 && w.marks[k-1].offset == offset {
		return // the alias or the document, not what it stands for
	}
	w.marks = append(w.marks, mark{offset, uint32(n.Line), uint32(n.Column)})
}

// members writes a mapping's pairs without braces. Those of a merge key stand
// in its place; a later key of the same name wins.
func (w *yamlWriter) members(n *yaml.Node, depth int) error {
	if err := w.enter(n, depth); err != nil {
		return err
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			return &SyntaxError{key.Line, key.Column, "a key must be a string"}
		}
		if key.ShortTag() == "!!merge" {
			if err := w.merge(value, depth); err != nil {
				return err
			}
			continue
		}
		w.comma()
		w.mark(key)
		w.string(key.Value)
		w.out.WriteByte(':')
		if err := w.write(value, depth); err != nil {
			return err
		}
	}
	return nil
}

func (w *yamlWriter) merge(n *yaml.Node, depth int) error {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n.Kind == yaml.MappingNode {
		return w.members(n, depth+1)
	}
	for _, item := range n.Content {
		if item.Kind == yaml.AliasNode {
			item = item.Alias
		}
		if item.Kind == yaml.MappingNode {
			if err := w.members(item, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// comma separates a member from the one before it, which may stem from a
// merge key.
func (w *yamlWriter) comma() {
	if b := w.out.Bytes(); b[len(b)-1] != '{' {
		w.out.WriteByte(',')
	}
}

func (w *yamlWriter) string(s string) {
	// Unlike Marshal, an Encoder can leave "<" alone, and the size be.
	e := json.NewEncoder(&w.out)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		w.out.WriteString(`""`)
		return
	}
	w.out.Truncate(w.out.Len() - len("\n"))
}

func (w *yamlWriter) scalar(n *yaml.Node) {
	switch n.ShortTag() {
	case "!!null":
		w.out.WriteString("null")
		return
	case "!!bool":
		var b bool
		if n.Decode(&b) == nil {
			w.out.WriteString(strconv.FormatBool(b))
			return
		}
	case "!!int", "!!float":
		if text, err := yamlNumber(n); err == nil {
			w.out.WriteString(text)
			return
		}
	}
	w.string(n.Value)
}

var errNotJSON = errors.New("JSON has no such number")

// yamlNumber is a YAML number as JSON writes it.
func yamlNumber(n *yaml.Node) (string, error) {
	if json.Valid([]byte(n.Value)) {
		return n.Value, nil
	}
	if n.ShortTag() == "!!int" {
		var i int64
		err := n.Decode(&i)
		return strconv.FormatInt(i, 10), err
	}
	var f float64
	if err := n.Decode(&f); err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", errNotJSON
	}
	return strconv.FormatFloat(f, 'g', -1, 64), nil
}
