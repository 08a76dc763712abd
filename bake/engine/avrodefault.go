// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

// misfit tells what is wrong with a default for a type, "" if nothing is.
func (p *avroParser) misfit(v jsonpos.Value, s *schema, depth int) string {
	if s == nil || depth > jsonpos.MaxDepth {
		return ""
	}
	is := func(k jsonpos.Kind, what string) string {
		if v.Kind() == k {
			return ""
		}
		return fmt.Sprintf("%s, not %s", v.Kind(), what)
	}
	switch s.kind {
	case "union":
		if len(s.branches) == 0 {
			return ""
		}
		return p.misfit(v, s.branches[0], depth+1)
	case "null":
		return is(jsonpos.Null, "null")
	case "boolean":
		return is(jsonpos.Bool, "a boolean")
	case "int", "long":
		return misfitInteger(v, s.kind)
	case "float", "double":
		return is(jsonpos.Number, "a number")
	case "string", "bytes", "fixed":
		return is(jsonpos.String, "a string")
	case "enum":
		if v.Kind() == jsonpos.String && !s.symbol[v.Text()] {
			return fmt.Sprintf("%s, which is no symbol of %s", p.show(v.Text()), s)
		}
		return is(jsonpos.String, "a symbol")
	case "array", "map":
		return p.misfitElements(v, s, depth)
	}
	if v.Kind() != jsonpos.Object {
		return fmt.Sprintf("%s, not an object", v.Kind())
	}
	for _, f := range s.fields {
		if inner := v.Get(f.name); inner.Exists() {
			if why := p.misfit(inner, f.typ, depth+1); why != "" {
				return fmt.Sprintf("wrong in %s: it is %s", p.show(f.name), why)
			}
		} else if !f.hasDefault {
			return fmt.Sprintf("without field %s", p.show(f.name))
		}
	}
	return ""
}

func misfitInteger(v jsonpos.Value, kind string) string {
	n, ok := v.Int()
	switch {
	case v.Kind() != jsonpos.Number:
		return fmt.Sprintf("%s, not %s", v.Kind(), articled(kind))
	case !ok || kind == "int" && n != int64(int32(n)):
		return "a number that is not " + articled(kind)
	}
	return ""
}

func (p *avroParser) misfitElements(v jsonpos.Value, s *schema, depth int) string {
	want := jsonpos.Array
	if s.kind == "map" {
		want = jsonpos.Object
	}
	if v.Kind() != want {
		return fmt.Sprintf("%s, not %s", v.Kind(), want)
	}
	for item := range v.Items() {
		if why := p.misfit(item, s.element, depth+1); why != "" {
			return "wrong in an element: it is " + why
		}
	}
	for _, item := range v.Members() {
		if why := p.misfit(item, s.element, depth+1); why != "" {
			return "wrong in a value: it is " + why
		}
	}
	return ""
}
