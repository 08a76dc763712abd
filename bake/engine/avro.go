// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// avroParser reads one Avro document. It goes on after an error; what it could
// not read is nil.
type avroParser struct {
	// show puts a name or a value into a message.
	show func(string) string
	// report takes a finding of an S rule.
	report func(at jsonpos.Value, f Finding)
	// declared are types that may be used before, or without, the place where
	// they are declared: those of a PFA document.
	declared map[string]jsonpos.Value
	chain    int // of declarations that led to another

	names     map[string]*schema
	undefined int      // names
	ignored   []string // unknown attributes
}

// parseAvro reads the Avro type v. It is nil if the type is wrong; report has
// the reasons, with names and values as show writes them.
func parseAvro(v jsonpos.Value, show func(string) string, report func(jsonpos.Value, Finding)) *schema {
	failed := false
	p := &avroParser{names: make(map[string]*schema), show: show, report: func(at jsonpos.Value, f Finding) {
		failed = failed || f.Severity == Error
		report(at, f)
	}}
	for inner := range v.Objects() {
		for _, key := range inner.Repeated() {
			p.report(key, s02.says("key %s appears twice", p.show(key.Text())).hint("remove one of the two"))
		}
	}
	s := p.parse(v, "")
	if !failed {
		if err := s.verify(); err != nil {
			p.report(v, s03.says("not a valid Avro schema: %v", err).hint("Avro's own parser refuses it"))
		}
	}
	if len(p.ignored) > 0 {
		p.report(v, s12.says("attributes ignored by the schema check: %s", strings.Join(p.ignored, ", ")))
	}
	if failed {
		return nil
	}
	return s
}

// parse reads a type in a namespace.
func (p *avroParser) parse(v jsonpos.Value, namespace string) *schema {
	switch v.Kind() {
	case jsonpos.String:
		return p.reference(v, v.Text(), namespace)
	case jsonpos.Array:
		return p.union(v, namespace)
	case jsonpos.Object:
		return p.object(v, namespace)
	}
	p.report(v, s03.says("a type cannot be %s", v.Kind()).hint("a type is a name, an object with \"type\", or an array of types (a union)"))
	return nil
}

// reference looks a name up that stands where a type is expected.
func (p *avroParser) reference(v jsonpos.Value, name, namespace string) *schema {
	if isPrimitive(name) {
		return &schema{kind: name}
	}
	full := fullName(name, namespace)
	if s, ok := p.names[full]; ok {
		return s
	}
	if p.declared != nil {
		if s, ok := p.declaredElsewhere(name, namespace); ok {
			return s
		}
	}
	p.report(v, s03.says("type %s is undefined", p.show(name)).hint("%s", p.undefinedHint(name)))
	return nil
}

// undefinedHint says what to write instead of an unknown type name.
func (p *avroParser) undefinedHint(name string) string {
	switch name {
	case "record", "enum", "fixed", "array", "map":
		return fmt.Sprintf(`a type with parts stands in an object of its own: {"type": {"type": %q, …}}`, name)
	}
	for _, alias := range [...][2]string{
		{"str", "string"},
		{"text", "string"},
		{"integer", "int"},
		{"int32", "int"},
		{"int64", "long"},
		{"number", "double"},
		{"float32", "float"},
		{"float64", "double"},
		{"bool", "boolean"},
		{"none", "null"},
	} {
		if strings.EqualFold(alias[0], name) {
			return fmt.Sprintf("Avro calls it %q", alias[1])
		}
	}
	const otherwise = "declare it before its first use; names of other files are not visible"
	if p.undefined++; p.undefined > maxAlike {
		return otherwise // which no one sees
	}
	known := slices.AppendSeq(slices.AppendSeq(slices.Clone(primitives), maps.Keys(p.names)), maps.Keys(p.declared))
	known = slices.DeleteFunc(known, func(s string) bool { return !legalNames(s) })
	slices.Sort(known)
	return didYouMean(name, known, otherwise)
}

// maxChain is how many declarations may lead to one another by name before a
// type is left unknown. Written lists are no deeper than jsonpos.MaxDepth, but
// names could make a chain as long as the document.
const maxChain = 200

// declaredElsewhere parses a declaration that stands somewhere else in the
// document. Of a chain of them that is too long it returns nil, an unknown
// type.
func (p *avroParser) declaredElsewhere(name, namespace string) (*schema, bool) {
	for _, candidate := range []string{fullName(name, namespace), name} {
		if s, ok := p.names[candidate]; ok {
			return s, true
		}
		v, ok := p.declared[candidate]
		if !ok {
			continue
		}
		if p.chain > maxChain {
			return nil, true
		}
		p.chain++
		defer func() { p.chain-- }()
		return p.object(v, ""), true
	}
	return nil, false
}

func fullName(name, namespace string) string {
	if namespace == "" || strings.Contains(name, ".") {
		return name
	}
	return namespace + "." + name
}

func (p *avroParser) object(v jsonpos.Value, namespace string) *schema {
	typ := v.Get("type")
	switch typ.Kind() {
	case jsonpos.Absent:
		p.report(v, s03.says(`a type has no "type"`).hint(`write {"type": …}`))
		return nil
	case jsonpos.Object, jsonpos.Array:
		p.report(v, s11.says(`unwrap {"type": {"type": …}}; strict Avro parsers reject it`).hint("write the inner type alone"))
		return p.parse(typ, namespace)
	case jsonpos.String:
	default:
		p.report(typ, s03.says(`"type" cannot be %s`, typ.Kind()).hint(`name a type, such as "record" or "double"`))
		return nil
	}
	switch name := typ.Text(); name {
	case "record", "error":
		return p.record(v, namespace)
	case "enum":
		return p.enum(v, namespace)
	case "fixed":
		return p.fixed(v, namespace)
	case "array":
		p.ignore(v, "items")
		return p.container(v, "array", "items", namespace)
	case "map":
		p.ignore(v, "values")
		return p.container(v, "map", "values", namespace)
	default:
		p.ignore(v, "")
		return p.reference(typ, name, namespace)
	}
}

func (p *avroParser) container(v jsonpos.Value, kind, member, namespace string) *schema {
	element := v.Get(member)
	if !element.Exists() {
		article := "a"
		if kind == "array" {
			article = "an"
		}
		p.report(v, s08.says("%s %s has no %q", article, kind, member).hint(`write {"type": %q, %q: …}`, kind, member))
		return nil
	}
	return &schema{kind: kind, element: p.parse(element, namespace)}
}

func (p *avroParser) union(v jsonpos.Value, namespace string) *schema {
	s := &schema{kind: "union"}
	seen := make(map[string]bool)
	for item := range v.Items() {
		b := p.parse(item, namespace)
		if b == nil {
			continue
		}
		if b.kind == "union" {
			p.report(item, s09.says("a union stands directly inside a union").hint("list all branches in one union"))
			continue
		}
		key := b.kind
		if b.name != "" {
			key = b.name
		}
		if seen[key] {
			p.report(item, s09.says("union has two %s branches", p.show(key)).hint("only records, enums and fixed may repeat, with names of their own"))
		}
		seen[key] = true
		s.branches = append(s.branches, b)
	}
	if v.Len() == 0 {
		p.report(v, s09.says("a union is empty").hint("list the types that are allowed"))
	}
	return s
}

// ignore notes the attributes of a type that have no meaning here.
func (p *avroParser) ignore(v jsonpos.Value, known ...string) {
	for key := range v.Members() {
		switch k := key.Text(); k {
		case "type", "name", "namespace", "doc", "aliases", "logicalType", "precision", "scale":
		default:
			if !slices.Contains(known, k) && !slices.Contains(p.ignored, k) && len(p.ignored) < maxAlike && k != "" && isWord(k) {
				p.ignored = append(p.ignored, k)
			}
		}
	}
}

// didYouMean is a hint with the nearest candidate, or else otherwise.
func didYouMean(word string, candidates []string, otherwise string) string {
	if c := nearest(word, candidates); c != "" {
		return fmt.Sprintf("did you mean %q?", c)
	}
	return otherwise
}
