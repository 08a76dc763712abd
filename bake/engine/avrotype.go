// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// named reads the name of a record, enum or fixed, and declares s under it. It
// returns the namespace of what is inside.
func (p *avroParser) named(v jsonpos.Value, s *schema, namespace string) string {
	name, space := v.Get("name"), v.Get("namespace")
	switch {
	case !name.Exists():
		p.report(v, s04.says("%s has no name", articled(s.kind)).hint(`add "name"`))
		return namespace
	case name.Kind() != jsonpos.String:
		p.report(name, s04.says("the name of %s must be a string, not %s", articled(s.kind), name.Kind()).hint("quote it"))
		return namespace
	}
	if space.Exists() && space.Kind() != jsonpos.String {
		p.report(space, s04.says("the namespace of %s must be a string, not %s", articled(s.kind), space.Kind()).hint("quote or remove it"))
	} else if text := space.Text(); text != "" {
		if !legalNames(text) {
			p.report(space, s04.says("namespace %s of %s %s is not a legal Avro name", p.show(text), s.kind, p.show(name.Text())).hint(nameHint))
		}
		namespace = text
	} else if space.Exists() {
		namespace = ""
	}
	text := name.Text()
	switch {
	case !legalNames(text):
		p.report(name, s04.says("%s name %s is not a legal Avro name", s.kind, p.show(text)).hint(nameHint))
	case isPrimitive(text):
		p.report(name, s04.says("%s name %s is the name of a primitive type", s.kind, p.show(text)).hint("rename the %s", s.kind))
	}
	s.name = fullName(text, namespace)
	if _, twice := p.names[s.name]; twice {
		p.report(name, s05.says("%s %s is declared twice", s.kind, p.show(s.name)).
			hint("name the type %s where it is used again, without its parts", p.show(s.name)))
	}
	p.names[s.name] = s
	if i := strings.LastIndexByte(s.name, '.'); i >= 0 {
		return s.name[:i]
	}
	return ""
}

const nameHint = `names are letters, digits and "_", and do not start with a digit; dots separate namespaces`

// articled is the kind of a type with its indefinite article.
func articled(kind string) string {
	if strings.ContainsRune("aeiou", rune(kind[0])) {
		return "an " + kind
	}
	return "a " + kind
}

// legalNames tells whether every part between dots is a legal Avro name.
func legalNames(dotted string) bool {
	for part := range strings.SplitSeq(dotted, ".") {
		if !legalName(part) {
			return false
		}
	}
	return true
}

func legalName(s string) bool {
	for i, c := range []byte(s) {
		if !isAlnum(c) && c != '_' || i == 0 && c >= '0' && c <= '9' {
			return false
		}
	}
	return s != ""
}

func (p *avroParser) record(v jsonpos.Value, namespace string) *schema {
	p.ignore(v, "fields")
	s := &schema{kind: "record"}
	namespace = p.named(v, s, namespace)
	fields := v.Get("fields")
	if fields.Kind() != jsonpos.Array {
		at := fields
		if !at.Exists() {
			at = v
		}
		p.report(at, s06.says(`%s has no array "fields"`, s).hint(`write "fields": [{"name": …, "type": …}]`))
		return s
	}
	seen := make(map[string]bool)
	for f := range fields.Items() {
		if field, ok := p.field(f, s, namespace, seen); ok {
			s.fields = append(s.fields, field)
		}
	}
	return s
}

func (p *avroParser) field(v jsonpos.Value, of *schema, namespace string, seen map[string]bool) (schemaField, bool) {
	if v.Kind() != jsonpos.Object {
		p.report(v, s06.says("a field of %s must be an object, not %s", of, v.Kind()).hint(`write {"name": …, "type": …}`))
		return schemaField{}, false
	}
	name := v.Get("name")
	switch text := name.Text(); {
	case name.Kind() != jsonpos.String:
		at := name
		if !at.Exists() {
			at = v
		}
		p.report(at, s06.says("a field of %s has no name", of).hint(`add "name"`))
	case !legalName(text):
		p.report(name, s06.says("field %s: %s is not allowed in Avro field names", p.show(text), illegalIn(text)).
			hint(`names are letters, digits and "_", and do not start with a digit`))
	case seen[text]:
		p.report(name, s06.says("%s has two fields %s", of, p.show(text)).hint("rename one of them"))
	}
	seen[name.Text()] = true
	p.ignoreField(v)
	typ := v.Get("type")
	if !typ.Exists() {
		p.report(v, s06.says("field %s has no type", p.show(name.Text())).hint(`add "type"`))
		return schemaField{}, false
	}
	field := schemaField{name: name.Text()}
	// A type with parts that lie beside it, in the field: {"type": "array",
	// "items": …}. The message of S-03 shows the way.
	field.typ = p.parse(typ, namespace)
	if value := v.Get("default"); value.Exists() {
		field.hasDefault = true
		if why := p.misfit(value, field.typ, 0); why != "" {
			p.report(value, s10.says("field %s: default is %s", p.show(field.name), why).hint("a default of a union is one of its first branch"))
		}
	}
	return field, true
}

// ignoreField notes the attributes of a field that have no meaning.
func (p *avroParser) ignoreField(v jsonpos.Value) {
	for key := range v.Members() {
		switch k := key.Text(); k {
		case "name", "type", "doc", "default", "order", "aliases":
		default:
			if !slices.Contains(p.ignored, k) && len(p.ignored) < maxAlike && k != "" && isWord(k) {
				p.ignored = append(p.ignored, k)
			}
		}
	}
}

// illegalIn names the first character that a field's name must not have.
func illegalIn(name string) string {
	for i, r := range name {
		switch {
		case i == 0 && r >= '0' && r <= '9':
			return "a digit at the start"
		case r >= 0x80 || !isAlnum(byte(r)) && r != '_':
			return nameRune(name[i:])
		}
	}
	return "an empty name"
}

func (p *avroParser) enum(v jsonpos.Value, namespace string) *schema {
	p.ignore(v, "symbols", "default")
	s := &schema{kind: "enum"}
	p.named(v, s, namespace)
	symbols := v.Get("symbols")
	if symbols.Kind() != jsonpos.Array || symbols.Len() == 0 {
		p.report(v, s07.says("%s has no symbols", s).hint(`write "symbols": ["a", "b"]`))
		return s
	}
	s.symbol = make(map[string]bool)
	for symbol := range symbols.Items() {
		text := symbol.Text()
		switch {
		case symbol.Kind() != jsonpos.String:
			p.report(symbol, s07.says("%s: a symbol must be a string, not %s", s, symbol.Kind()).hint("quote it"))
		case !legalName(text):
			p.report(symbol, s07.says("%s: symbol %s is not a legal Avro name", s, p.show(text)).
				hint(`symbols are letters, digits and "_", and do not start with a digit`))
		case s.symbol[text]:
			p.report(symbol, s07.says("%s: duplicate symbol %s", s, p.show(text)).hint("remove one of the two"))
		}
		s.symbol[text] = true
		s.symbols = append(s.symbols, text)
	}
	return s
}

func (p *avroParser) fixed(v jsonpos.Value, namespace string) *schema {
	p.ignore(v, "size")
	s := &schema{kind: "fixed"}
	p.named(v, s, namespace)
	size, ok := v.Get("size").Int()
	if !ok || size <= 0 {
		p.report(v, s07.says(`the "size" of %s is not a positive integer`, s).hint(`write "size": 16`))
	}
	s.size = size
	return s
}
