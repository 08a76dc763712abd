// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
)

// contract is the example of the command line contract.
const contract = `
base: fastscore/engine:1.10
tags: ["registry.example.com/team/scorer:${VERSION:-dev}"]
model: model.py3
schemas: {inputsch: input.avsc, outputsch: output.avsc}
streams: {0: rest.json, 1: kafka.json}
attachments: [tables.tar.gz]
unpack: {weights.zip: /assets/weights}
assets: [lookup/]
connectPrefix: https://connect:8001
assetsDir: /assets
env: {LOG_LEVEL: info}
labels: {team: risk}
annotations: {}
platforms: [linux/amd64, linux/arm64]
compression: gzip
allow: [SD-54]
profiles:                       # chosen with --profile NAME; merged over the rest
  prod: {tags: ["registry.example.com/prod/scorer:1"], streams: {1: kafka-prod.json}}
`

func contractSpec() bake.Spec {
	return bake.Spec{
		Base:          "fastscore/engine:1.10",
		Tags:          []string{"registry.example.com/team/scorer:dev"},
		Model:         "model.py3",
		Schemas:       map[string]string{"inputsch": "input.avsc", "outputsch": "output.avsc"},
		Streams:       map[int]string{0: "rest.json", 1: "kafka.json"},
		Attachments:   []string{"tables.tar.gz"},
		Unpack:        map[string]string{"weights.zip": "/assets/weights"},
		Assets:        []bake.Asset{{Path: "lookup"}},
		ConnectPrefix: "https://connect:8001",
		AssetsDir:     "/assets",
		Env:           map[string]string{"LOG_LEVEL": "info"},
		Labels:        map[string]string{"team": "risk"},
		Platforms:     []string{"linux/amd64", "linux/arm64"},
		Compression:   bake.Compression{Algorithm: bake.Gzip},
		Allow:         []string{"SD-54"},
	}
}

// environ looks up "K=V" pairs.
func environ(pairs ...string) func(string) (string, bool) {
	m := map[string]string{}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		m[k] = v
	}
	return func(k string) (string, bool) {
		v, ok := m[k]
		return v, ok
	}
}

// parse parses a file that must have one bake.
func parse(t *testing.T, data string, opts bakefile.Options) bake.Spec {
	t.Helper()
	bakes, err := bakefile.Parse([]byte(data), "bake.yaml", opts)
	if err != nil {
		t.Fatal(err)
	}
	if len(bakes) != 1 {
		t.Fatalf("%d bakes, want 1", len(bakes))
	}
	return bakes[0].Spec
}

// report gives the problems of err a line each, without the file's name but
// with hints, and fails if err is anything but an *Error of file.
func report(t *testing.T, err error, file string) string {
	t.Helper()
	var e *bakefile.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *bakefile.Error", err, err)
	}
	if e.File != file {
		t.Errorf("file of the error is %q, want %q", e.File, file)
	}
	var b strings.Builder
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "%d:%d: %s", p.Line, p.Column, p.Message)
		if p.Hint != "" {
			fmt.Fprintf(&b, " [%s]", p.Hint)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestParseContractExample(t *testing.T) {
	if diff := cmp.Diff(contractSpec(), parse(t, contract, bakefile.Options{})); diff != "" {
		t.Errorf("plain (-want +got):\n%s", diff)
	}
	want := contractSpec()
	want.Tags = []string{"registry.example.com/prod/scorer:1"}
	want.Streams[1] = "kafka-prod.json"
	if diff := cmp.Diff(want, parse(t, contract, bakefile.Options{Profile: "prod"})); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
}

func TestParseSpec(t *testing.T) {
	tests := []struct {
		name, data string
		want       bake.Spec
	}{
		{"least", "model: m.py3", bake.Spec{Model: "m.py3"}},
		{"byte order mark", "\ufeffmodel: m.py3", bake.Spec{Model: "m.py3"}},
		{"carriage returns", "model: m.py3\r\nbase: b\r\n", bake.Spec{Model: "m.py3", Base: "b"}},
		{"JSON", `{"model": "m.py3", "streams": {"0": "a.json"}}`, bake.Spec{Model: "m.py3", Streams: map[int]string{0: "a.json"}}},
		{"document marks", "---\nmodel: m.py3\n...\n", bake.Spec{Model: "m.py3"}},
		{"cleaned paths", "model: ./a/../m.py3\nunpack: {./w.zip: \"\"}\nassets: [., d//e/]", bake.Spec{
			Model: "m.py3", Unpack: map[string]string{"w.zip": ""}, Assets: []bake.Asset{{Path: "."}, {Path: "d/e"}},
		}},
		{"asset destinations", "model: m\nassets: [a=/b, c=d=e, f/=g/]", bake.Spec{
			Model: "m", Assets: []bake.Asset{{Path: "a", Dest: "/b"}, {Path: "c", Dest: "d=e"}, {Path: "f", Dest: "g/"}},
		}},
		{"slots", "model: m\nstreams: {0: a, \"1\": b, 10: c}", bake.Spec{Model: "m", Streams: map[int]string{0: "a", 1: "b", 10: "c"}}},
		{"scalars are text", "model: 5\nlabels: {1: 1.10, b: true, c: 0x1F, d: 2024-01-02, e: \"~\", f: yes, null: 1_000}", bake.Spec{
			Model: "5",
			Labels: map[string]string{
				"1": "1.10", "b": "true", "c": "0x1F", "d": "2024-01-02", "e": "~", "f": "yes", "null": "1_000",
			},
		}},
		{"empty text", "model: m\nbase: ''\nenv: {A: ''}", bake.Spec{Model: "m", Env: map[string]string{"A": ""}}},
		{"block scalar", "model: m\nlabels:\n  a: |\n    x\n    y\n", bake.Spec{Model: "m", Labels: map[string]string{"a": "x\ny\n"}}},
		{"empty collections", "model: m\ntags: []\nstreams: {}\nlabels: {}\nunpack: {}\nassets: []", bake.Spec{Model: "m"}},
		{"core tags", "model: !!str m\nlabels: !!map {a: !!int 1, b: !!float 1, c: !!bool true, d: !!str null, e: !!str }\ntags: !!seq [a]", bake.Spec{
			Model: "m", Tags: []string{"a"}, Labels: map[string]string{"a": "1", "b": "1", "c": "true", "d": "null", "e": ""},
		}},
		{"aliases", "model: &m m.py3\nlabels: &l {a: x}\nannotations: *l\nassets: [*m]", bake.Spec{
			Model: "m.py3", Labels: map[string]string{"a": "x"}, Annotations: map[string]string{"a": "x"}, Assets: []bake.Asset{{Path: "m.py3"}},
		}},
		{"compression and layers", "model: m\ncompression: zstd:19\nlayers: class", bake.Spec{
			Model: "m", Compression: bake.Compression{Algorithm: bake.Zstd, Level: 19}, Layers: bake.LayersClass,
		}},
		{"platform variant", "model: m\nplatforms: [linux/arm/v7]", bake.Spec{Model: "m", Platforms: []string{"linux/arm/v7"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, parse(t, tt.data, bakefile.Options{})); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	fsys := fstest.MapFS{
		"models/a=b/bake.yaml": {Data: []byte("model: m.py3\nstreams: {0: s/in.json}\nunpack: {w.zip: w}\nassets: [lookup=x, .]\nattachments: [t.zip]\nschemas: {a: a.avsc}")},
		"models/bad.yaml":      {Data: []byte("modle: m.py3")},
		"large.yaml":           {Data: []byte("model: m\n" + strings.Repeat("#\n", 1<<19))},
	}
	got, err := bakefile.Load(fsys, "models/a=b/bake.yaml", bakefile.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || got[0].Spec.FS == nil {
		t.Fatalf("got %+v, want one bake with a file system", got)
	}
	if _, err := fs.Stat(got[0].Spec.FS, "models/bad.yaml"); err != nil {
		t.Errorf("the file system of the Spec is another one: %v", err)
	}
	got[0].Spec.FS = nil
	want := []bakefile.Bake{{Spec: bake.Spec{
		Model:       "models/a=b/m.py3",
		Streams:     map[int]string{0: "models/a=b/s/in.json"},
		Unpack:      map[string]string{"models/a=b/w.zip": "w"},
		Assets:      []bake.Asset{{Path: "models/a=b/lookup", Dest: "x"}, {Path: "models/a=b"}},
		Attachments: []string{"models/a=b/t.zip"},
		Schemas:     map[string]string{"a": "models/a=b/a.avsc"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	_, err = bakefile.Load(fsys, "models/bad.yaml", bakefile.Options{})
	if got, want := report(t, err, "models/bad.yaml"), "1:1: unknown key \"modle\" [did you mean \"model\"?]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	_, err = bakefile.Load(fsys, "large.yaml", bakefile.Options{})
	if got, want := report(t, err, "large.yaml"), "0:0: larger than 1 MiB\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLoadUnreadable(t *testing.T) {
	bakes, err := bakefile.Load(fstest.MapFS{}, "bake.yaml", bakefile.Options{})
	var e *bakefile.Error
	if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &e) || bakes != nil {
		t.Errorf("got %v, %v; want a plain fs.ErrNotExist", bakes, err)
	}
	if want := `reading bake file "bake.yaml": open bake.yaml: file does not exist`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
