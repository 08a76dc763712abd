// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package jsonpos_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/engine/internal/jsonpos"
)

const noLimit = 1 << 30

// plain is a value as encoding/json would decode it into an interface.
func plain(v jsonpos.Value) any {
	switch v.Kind() {
	case jsonpos.Bool:
		return v.Bool()
	case jsonpos.Number:
		return json.Number(v.Raw())
	case jsonpos.String:
		return v.Text()
	case jsonpos.Array:
		all := []any{}
		for item := range v.Items() {
			all = append(all, plain(item))
		}
		return all
	case jsonpos.Object:
		all := map[string]any{}
		for key, value := range v.Members() {
			all[key.Text()] = plain(value)
		}
		return all
	}
	return nil
}

func decode(src []byte) (v any, err error) {
	d := json.NewDecoder(strings.NewReader(string(src)))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

func TestParse(t *testing.T) {
	for _, src := range []string{
		`null`, ` true `, `-0.5e+7`, `"a\u00e9\n\"\\"`, `[]`, `{}`, `[[],{},[1,[2]],"x"]`,
		"{\"a\":1,\r\n\"b\":[true,false,null],\"c\":{\"d\":\"é\"}}", `{"a":1,"a":{"b":2}}`, `{"a\u0062":3}`,
		"[1]", "[ -1.5e+3 ,\n\t0,7\r\n]", `[[1,2],[],[3],{"a":[4,5]},6]`, `[1,"x"]`, `[1,null]`, `[ ]`,
	} {
		doc, err := jsonpos.Parse([]byte(src), noLimit)
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		want, err := decode([]byte(src))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, plain(doc.Root())); diff != "" {
			t.Errorf("%s (-want +got):\n%s", src, diff)
		}
	}
}

func TestSyntaxErrors(t *testing.T) {
	for _, tc := range []struct{ name, src, want string }{
		{"empty", " \n", "2:1: is empty"},
		{"bom", "\xef\xbb\xbf{}", "1:1: starts with a byte order mark"},
		{"utf16", "\xff\xfe{\x00", "1:1: is UTF-16, not UTF-8"},
		{"latin1", "{\"a\": \"\xe9\"}", "1:8: is not valid UTF-8"},
		{"missing comma", "{\"Version\": \"1.2\"\n  \"Type\": 1}", `2:3: expected "," before a key`},
		{"missing comma before a value", `["a" "b"]`, `1:6: expected "," before a string`},
		{"trailing comma", `{"type": "int", }`, "1:15: trailing comma"},
		{"trailing comma in array", `[1,]`, "1:3: trailing comma"},
		{"two commas", `[1,,2]`, "1:4: two commas"},
		{"comma first", `{,}`, `1:2: unexpected ","`},
		{"comment", "{ // no\n}", "1:3: expected a key, found a comment; JSON has none"},
		{"hash", "# no\n{}", "1:1: expected a value, found a comment; JSON has none"},
		{"bare key", `{type: 1}`, "1:2: a key needs double quotes"},
		{"single quotes", `{'type': 1}`, "1:2: keys and strings need double quotes"},
		{"bare value", `int`, "1:1: expected a value, found a bare word; strings need double quotes"},
		{"python", `{"a": True}`, "1:7: expected a value, found a bare word; strings need double quotes"},
		{"glued", `{"a": nullable}`, "1:11: a bare word; strings need double quotes"},
		{"no colon", `{"a" 1}`, `1:6: expected ":" after a key, found a number`},
		{"equals", `{"a" = 1}`, `1:6: expected ":" after a key, found "="`},
		{"open object", `{"a": 1`, `1:8: ends before "}"`},
		{"open array", `[1`, `1:3: ends before "]"`},
		{"wrong bracket", `[1}`, `1:3: expected "," before "}"`},
		{"end after key", `{"a"`, `1:5: ends where ":" is expected`},
		{"end after colon", `{"a":`, `1:6: ends where a value is expected`},
		{"end after comma", `{"a": 1,`, `1:9: expected a key, found the end`},
		{"end after comma in array", `[1,`, `1:4: ends where a value is expected`},
		{"open string", `{"a`, "1:2: a string does not end"},
		{"line break in string", "[\"a\n\"]", "1:2: a string does not end on its line"},
		{"tab in string", "[\"a\tb\"]", "1:4: a string contains a raw control character (U+0009)"},
		{"escape", `["a\d"]`, "1:4: a string has an unknown escape; write a backslash twice"},
		{"unicode escape", `["\u12"]`, `1:3: \u needs four hexadecimal digits`},
		{"two documents", `{} {}`, `1:4: unexpected "{" after the end of the document`},
		{"array of numbers", `[1,2 3]`, `1:6: expected "," before a number`},
		{"array of signs", `[1,-]`, "1:5: a number needs a digit here"},
		{"array of points", `[1,.5]`, "1:4: expected a value, found a number"},
		{"array of numbers that is open", `[1,2`, `1:5: ends before "]"`},
		{"array of commas", `[,]`, `1:2: unexpected ","`},
		{"leading zero", `01`, "1:3: a number must not start with 0"},
		{"plus", `+1`, "1:1: expected a value, found a number"},
		{"point", `1.`, "1:3: a number needs a digit after its point"},
		{"exponent", `1e`, "1:3: a number needs a digit in its exponent"},
		{"columns are characters", `{"é": x}`, "1:7: expected a value, found a bare word; strings need double quotes"},
		{"control character", "[\x01]", "1:2: expected a value, found the control character U+0001"},
		{"non-ASCII", `[é]`, "1:2: expected a value, found a character outside a string"},
		{"deep", strings.Repeat("[", 100_000), "1:1001: nested deeper than 1000 levels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := jsonpos.Parse([]byte(tc.src), noLimit)
			if err == nil || err.Error() != tc.want {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestAccess(t *testing.T) {
	doc, err := jsonpos.Parse([]byte("{\"a\": 1,\n \"b\": {\"c\": [7.0, \"x\", 1.5]},\n \"a\": 2}"), noLimit)
	if err != nil {
		t.Fatal(err)
	}
	root := doc.Root()
	if n, ok := root.Get("a").Int(); n != 2 || !ok {
		t.Errorf("a = %d, %t; the last one wins", n, ok)
	}
	if again := root.Repeated(); len(again) != 1 || position(again[0]) != "3:2" {
		t.Errorf("repeated: %v", again)
	}
	var items []string
	for item := range root.Path("b", "c").Items() {
		n, ok := item.Int()
		items = append(items, fmt.Sprintf("%s %s %d %t", position(item), item.Kind(), n, ok))
	}
	want := []string{"2:14 a number 7 true", "2:19 a string 0 false", "2:24 a number 0 false"}
	if diff := cmp.Diff(want, items); diff != "" {
		t.Errorf("items (-want +got):\n%s", diff)
	}
	if v := root.Path("b", "nope", "c"); v.Exists() || v.Kind() != jsonpos.Absent || v.Text() != "" || v.Raw() != nil {
		t.Errorf("a missing member: %v", v)
	}
	var below []string
	for v := range root.Objects() {
		below = append(below, position(v))
	}
	if diff := cmp.Diff([]string{"1:1", "2:7"}, below); diff != "" {
		t.Errorf("objects (-want +got):\n%s", diff)
	}
}

func position(v jsonpos.Value) string {
	line, column := v.Position()
	return fmt.Sprintf("%d:%d", line, column)
}

func TestParseYAML(t *testing.T) {
	src := "# a comment\ninput: double\nbase: &b {x: 0x10, y: .5}\nmore:\n  <<: *b\n  z: [1, null, ~, yes, \"é\", 2001-01-01]\nalias: *b\n"
	doc, err := jsonpos.ParseYAML([]byte(src), noLimit)
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string) json.Number { return json.Number(s) }
	base := map[string]any{"x": number("16"), "y": number("0.5")}
	want := map[string]any{
		"input": "double", "base": base, "alias": base,
		"more": map[string]any{"x": number("16"), "y": number("0.5"), "z": []any{number("1"), nil, nil, "yes", "é", "2001-01-01"}},
	}
	if diff := cmp.Diff(want, plain(doc.Root())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	key, value := doc.Root().Member("more")
	if position(key) != "4:1" || position(value.Get("z")) != "6:6" {
		t.Errorf("positions: %s, %s", position(key), position(value.Get("z")))
	}
}

func TestYAMLErrors(t *testing.T) {
	bomb := "a: &a [x,x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	mergeBomb := "a: &a {}\n"
	for c := 'b'; c < 'k'; c++ {
		mergeBomb += fmt.Sprintf("%c: &%c {<<: [%s]}\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c,", c-1), 10), ","))
	}
	for _, tc := range []struct{ name, src, want string }{
		{"empty", "# nothing\n", "1:1: is empty"},
		{"syntax", "a: b\nc: [d\n", "did not find expected ',' or ']'"},
		{"bomb", bomb, "aliases make the document too large"},
		{"merge bomb", mergeBomb, "aliases make the document too large"},
		{"merge cycle", "a: &a\n  <<: [*a, *a, *a]\n", "nested deeper than 1000 levels"},
		{"cycle", "a: &a [*a]\n", "nested deeper than 1000 levels"},
		{"deep", strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "nested deeper than 1000 levels"},
		{"mapping as key", "{a: b}: c\n", "a key must be a string"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := jsonpos.ParseYAML([]byte(tc.src), noLimit)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x\u0041"],"a":null}`, `[[[]]]`, `{"a":tru}`, `"\ud800"`, "\xef\xbb\xbf1", "[1,]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := jsonpos.Parse(src, noLimit)
		if valid := json.Valid(src); (err == nil) != valid {
			if valid && !utf8.Valid(src) {
				t.Skip("encoding/json accepts bytes that are not UTF-8")
			}
			t.Fatalf("Parse says %v, json.Valid %t", err, valid)
		}
		if err != nil {
			return
		}
		want, err := decode(src)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, plain(doc.Root())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func FuzzParseYAML(f *testing.F) {
	f.Add([]byte("a: &a [1, {b: *a}]\n<<: *a\n"))
	f.Add([]byte("- !!float 1e999\n- !!int 0b1\n- ? [a]\n  : b\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		doc, err := jsonpos.ParseYAML(src, 10_000)
		if err != nil {
			return
		}
		for v := range doc.Root().Objects() {
			if line, column := v.Position(); line < 1 || column < 1 {
				t.Errorf("position %d:%d", line, column)
			}
		}
	})
}
