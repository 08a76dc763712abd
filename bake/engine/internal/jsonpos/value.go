// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package jsonpos

import (
	"encoding/json"
	"iter"
	"math"
	"strconv"
)

// A Value is a place in a document. The zero Value is absent: a member that an
// object does not have.
type Value struct {
	doc *Doc
	i   uint32 // of its node; of a number that has none, its offset in the text
	end uint32 // of a number that has no node, where it ends; else 0
}

func (v Value) node() node {
	switch {
	case v.doc == nil:
		return node{}
	case v.end > 0:
		return node{start: v.i, end: v.end, kind: Number}
	}
	return v.doc.nodes[v.i]
}

// Kind is the value's type.
func (v Value) Kind() Kind { return v.node().kind }

// Exists tells whether the value is there at all.
func (v Value) Exists() bool { return v.doc != nil }

// Raw is the value's own text; it must not be changed.
func (v Value) Raw() []byte {
	if v.doc == nil {
		return nil
	}
	n := v.node()
	return v.doc.src[n.start:n.end]
}

// Text is the content of a string and "" of everything else.
func (v Value) Text() string {
	if v.Kind() != String {
		return ""
	}
	return unquote(v.Raw())
}

// Bool is true for the literal true only.
func (v Value) Bool() bool { return v.Kind() == Bool && len(v.Raw()) == len("true") }

// Int is the value of an integral number that fits; 1.0 and 1e3 are integral.
func (v Value) Int() (int64, bool) {
	if v.Kind() != Number {
		return 0, false
	}
	raw := string(v.Raw())
	if n, err := strconv.ParseInt(raw, 10, 64); err == nil {
		return n, true
	}
	f, err := strconv.ParseFloat(raw, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) >= 1<<63 {
		return 0, false
	}
	return int64(f), true
}

// Items are the elements of an array.
func (v Value) Items() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Array {
			return
		}
		n := v.node()
		if n.bare {
			v.numbers(yield)
			return
		}
		for i := v.i + 1; i < n.next; i = v.doc.nodes[i].next {
			if !yield(Value{doc: v.doc, i: i}) {
				return
			}
		}
	}
}

// numbers are the elements of an array that are no nodes.
func (v Value) numbers(yield func(Value) bool) {
	n := v.node()
	for i := n.start + 1; i < n.end; {
		c := v.doc.src[i]
		if c != '-' && (c < '0' || c > '9') {
			i++
			continue
		}
		start := i
		for c != ',' && c != ']' && c > ' ' {
			i++
			c = v.doc.src[i]
		}
		if !yield(Value{v.doc, start, i}) {
			return
		}
	}
}

// Len is the number of elements of an array or of members of an object.
func (v Value) Len() int {
	n := 0
	for range v.Items() {
		n++
	}
	for range v.Members() {
		n++
	}
	return n
}

// Members are the keys and values of an object in the order of the text,
// repeated keys included.
func (v Value) Members() iter.Seq2[Value, Value] {
	return func(yield func(key, value Value) bool) {
		if v.Kind() != Object {
			return
		}
		end := v.node().next
		for i := v.i + 1; i < end; {
			key, value := Value{doc: v.doc, i: i}, Value{doc: v.doc, i: i + 1}
			if !yield(key, value) {
				return
			}
			i = value.node().next
		}
	}
}

// Get is the member with that key; the last one wins.
func (v Value) Get(key string) Value {
	_, value := v.Member(key)
	return value
}

// Member is the key and the value of the last member with that key.
func (v Value) Member(name string) (key, value Value) {
	for k, val := range v.Members() {
		if k.isKey(name) {
			key, value = k, val
		}
	}
	return key, value
}

// isKey compares without decoding where it can.
func (v Value) isKey(name string) bool {
	raw := v.Raw()
	if len(raw) == len(name)+2 && string(raw[1:len(raw)-1]) == name {
		return true
	}
	for _, c := range raw {
		if c == '\\' {
			return v.Text() == name
		}
	}
	return false
}

// Path is a value some keys below; absent as soon as one of them is missing.
func (v Value) Path(keys ...string) Value {
	for _, key := range keys {
		v = v.Get(key)
	}
	return v
}

// Repeated are the keys of an object that came before, each repetition once.
func (v Value) Repeated() []Value {
	if v.Len() < 2 {
		return nil
	}
	var again []Value
	seen := make(map[string]struct{})
	for key := range v.Members() {
		if _, ok := seen[key.Text()]; ok {
			again = append(again, key)
		}
		seen[key.Text()] = struct{}{}
	}
	return again
}

// Objects are the objects among the value itself and all values inside it, in
// the order of the text.
func (v Value) Objects() iter.Seq[Value] {
	return func(yield func(Value) bool) {
		if v.Kind() != Object && v.Kind() != Array {
			return
		}
		for i := v.i; i < v.node().next; i++ {
			if v.doc.nodes[i].kind == Object && !yield(Value{doc: v.doc, i: i}) {
				return
			}
		}
	}
}

// unquote decodes a string that Parse has found correct. Unlike
// encoding/json it need not look for errors.
func unquote(raw []byte) string {
	inner := raw[1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' {
			var s string
			if err := json.Unmarshal(raw, &s); err != nil {
				return string(inner)
			}
			return s
		}
	}
	return string(inner)
}
