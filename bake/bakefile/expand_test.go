// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
)

// quoted is s in YAML's single quotes.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func TestExpand(t *testing.T) {
	lookup := environ("A=a", "B_1=b", "E=", "D=$A", "Y={x: [y]}")
	tests := []struct{ name, in, want string }{
		{"none", "plain } text", "plain } text"},
		{"name", "x$A-y", "xa-y"},
		{"longest name", "$B_1.", "b."},
		{"braces", "x${A}y${B_1}", "xayb"},
		{"dollars", "$$A $$$A $${A}", "$A $a ${A}"},
		{"empty default", "[${N:-}]", "[]"},
		{"default keeps operators", "${N:-a:-b?c}", "a:-b?c"},
		{"nested default", "${N:-${M:-x}}", "x"},
		{"nested default, inner set", "${N:-${A:-x}}", "a"},
		{"text around nested", "${N:-<${M-x}>}", "<x>"},
		{"nested alternative", "${A:+${B_1}!}", "b!"},
		{"dollar in a default", "${N:-$$5}", "$5"},
		{"default is not used", "${A:-${N}}", "a"},
		{"message is not used", "${A:?${N}}", "a"},
		{"alternative is not used", "${N:+${M}}", ""},
		{"first closing brace ends", "${N:-{x}}", "{x}"},
		{"values do not expand", "$D", "$A"},
		{"values are no YAML", "$Y", "{x: [y]}"},
		{"several lines", "${N:-a\n\nb}", "a\nb"}, // single quotes fold the break
		{"twenty levels", strings.Repeat("${N:-", 20) + "x" + strings.Repeat("}", 20), "x"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			spec := parse(t, "model: m\nlabels: {x: "+quoted(tt.in)+"}", bakefile.Options{LookupEnv: lookup})
			if got := spec.Labels["x"]; got != tt.want {
				t.Errorf("%s is %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

func TestExpandProblems(t *testing.T) {
	const (
		dollar    = ` [write $$ for a dollar]`
		brace     = ` [write $${ for a dollar and a brace]`
		operators = ` [operators are :- - :? ? :+ +]`
	)
	tests := []struct{ name, in, want string }{
		{"not set", "${N}", `variable "N" is not set [set it, or write ${N:-} for an empty default]`},
		{"not set, no braces", "$N", `variable "N" is not set [set it, or write ${N:-} for an empty default]`},
		{"not set in a default", "${N:-${M}}", `variable "M" is not set [set it, or write ${M:-} for an empty default]`},
		{"required", "${N:?say which}", `variable "N" is required: say which`},
		{"required, empty", "${E:?say which}", `variable "E" is required: say which`},
		{"required without a message", "${N?}", `variable "N" is required`},
		{"variable in the message", "${N?not $A}", `variable "N" is required: not a`},
		{"bad variable in the message", "${N?not $M}", `variable "M" is not set [set it, or write ${M:-} for an empty default]`},
		{"not text", "${U}", `variable "U" is not UTF-8 text`},
		{"NUL", "${Z}", `variable "Z" is not UTF-8 text`},
		{"dollar at the end", "5$", `"$" starts no variable` + dollar},
		{"dollar before a digit", "$5", `"$" starts no variable` + dollar},
		{"command", "$(date)", `"$" starts no variable` + dollar},
		{"no name", "${}", `"${}" is no variable: want a name after ${` + brace},
		{"digit", "${5}", `"${5}" is no variable: want a name after ${` + brace},
		{"not closed", "${A", `"${A" has no closing brace`},
		{"default not closed", "a${A:-b", `"${A:-b" has no closing brace`},
		{"inner not closed", "${A:-${B}", `"${A:-${B}" has no closing brace`},
		{"operator", "${A:=b}", `"${A:=b}" is no variable: want } or an operator after A` + operators},
		{"name with a dash first", "${-A}", `"${-A}" is no variable: want a name after ${` + brace},
		{"dot", "${A.B}", `"${A.B}" is no variable: want } or an operator after A` + operators},
		{"bad default that is not used", "${A:-$}", `"$" starts no variable` + dollar},
		{"long", "${" + strings.Repeat("é", 50), `"${` + strings.Repeat("é", 38) + `"... is no variable: want a name after ${` + brace},
		{"too deep", strings.Repeat("${N:-", 21) + strings.Repeat("}", 21), "more than 20 variables within each other"},
		{"far too deep", strings.Repeat("${N:-", 100_000), "more than 20 variables within each other"},
		{"too long", strings.Repeat("${L}", 17), "too long after expansion"},
	}
	lookup := environ("A=a", "E=", "U=\xff", "Z=a\x00b", "L="+strings.Repeat("x", 1<<20))
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bakefile.Parse([]byte("model: m\nenv: {x: "+quoted(tt.in)+"}"), "b.yaml", bakefile.Options{LookupEnv: lookup})
			want := `2:10: env "x": ` + tt.want + "\n"
			if diff := cmp.Diff(want, report(t, err, "b.yaml")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestExpandEverywhere(t *testing.T) {
	const data = `
base: engine:$V
tags: ["r/a:$V"]
model: m.$V
schemas: {a: $V.avsc}
streams: {0: $V.json}
attachments: [$V.zip]
unpack: {w.zip: /$V}
assets: [$V=/d/$V]
connectPrefix: https://$V
assetsDir: /$V
env: {A: $V}
labels: {A: $V}
annotations: {A: $V}
platforms: [linux/$V]
compression: zstd:$N
layers: $L
allow: [X-$V]
`
	want := bake.Spec{
		Base: "engine:v", Tags: []string{"r/a:v"}, Model: "m.v",
		Schemas: map[string]string{"a": "v.avsc"}, Streams: map[int]string{0: "v.json"},
		Attachments: []string{"v.zip"}, Unpack: map[string]string{"w.zip": "/v"}, Assets: []bake.Asset{{Path: "v", Dest: "/d/v"}},
		ConnectPrefix: "https://v", AssetsDir: "/v",
		Env: map[string]string{"A": "v"}, Labels: map[string]string{"A": "v"}, Annotations: map[string]string{"A": "v"},
		Platforms: []string{"linux/v"}, Compression: bake.Compression{Algorithm: bake.Zstd, Level: 3}, Layers: bake.LayersClass,
		Allow: []string{"X-v"},
	}
	got := parse(t, data, bakefile.Options{LookupEnv: environ("V=v", "N=3", "L=class")})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	const checked = "model: $P\nschemas: {a: $P}\nstreams: {0: $D}\nattachments: [$D]\nassets: [$P]\n" +
		"tags: [$E]\nplatforms: [$E]\nallow: [$E]\ncompression: $C\nlayers: $E\n"
	_, err := bakefile.Parse([]byte(checked), "b.yaml", bakefile.Options{LookupEnv: environ("P=../x", "D=x/", "C=gzip:99", "E=")})
	const leaves = `path "../x" leaves the directory of the bake file [move the bake file up, or the file down]` + "\n"
	wantReport := "1:8: model: " + leaves +
		`2:14: schemas "a": ` + leaves +
		`3:14: streams "0": path "x/" names a directory; want a file` + "\n" +
		`4:15: attachments item: path "x/" names a directory; want a file` + "\n" +
		"5:10: assets item: " + leaves +
		"6:8: tags item is empty\n" +
		`7:13: platform "": want OS/ARCH or OS/ARCH/VARIANT` + "\n" +
		"8:9: allow item is empty\n" +
		`9:14: compression "gzip:99": levels of gzip are 1 to 9` + "\n" +
		`10:9: layers "": want auto, class or single` + "\n"
	if diff := cmp.Diff(wantReport, report(t, err, "b.yaml")); diff != "" {
		t.Errorf("checks of expanded values (-want +got):\n%s", diff)
	}
}
