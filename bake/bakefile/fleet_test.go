// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
)

const fleet = `
profiles:
  prod:
    base: engine:prod
    env: {LEVEL: warn, TOKEN: "${TOKEN:?needed in prod}"}
    tags: []
  dev: {env: {LEVEL: debug}}
defaults:
  base: engine:1
  tags: [r/default]
  env: {LEVEL: info, REGION: eu}
  streams: {0: in.json, 1: out.json}
bakes:
  zeta:
    model: zeta/m.py3
    env: {REGION: us}
    streams: {1: zeta/out.json}
  alpha:
    model: alpha/m.R
    tags: ["r/alpha:${VERSION}"]
    base: engine:2
  mid: {model: mid.py3}
`

func TestFleet(t *testing.T) {
	zeta := bakefile.Bake{Name: "zeta", Spec: bake.Spec{
		Base: "engine:1", Tags: []string{"r/default"}, Model: "zeta/m.py3",
		Env:     map[string]string{"LEVEL": "info", "REGION": "us"},
		Streams: map[int]string{0: "in.json", 1: "zeta/out.json"},
	}}
	alpha := bakefile.Bake{Name: "alpha", Spec: bake.Spec{
		Base: "engine:2", Tags: []string{"r/alpha:7"}, Model: "alpha/m.R",
		Env:     map[string]string{"LEVEL": "info", "REGION": "eu"},
		Streams: map[int]string{0: "in.json", 1: "out.json"},
	}}
	mid := bakefile.Bake{Name: "mid", Spec: bake.Spec{
		Base: "engine:1", Tags: []string{"r/default"}, Model: "mid.py3",
		Env:     map[string]string{"LEVEL": "info", "REGION": "eu"},
		Streams: map[int]string{0: "in.json", 1: "out.json"},
	}}
	prodAlpha := bakefile.Bake{Name: "alpha", Spec: bake.Spec{
		Base: "engine:prod", Model: "alpha/m.R",
		Env:     map[string]string{"LEVEL": "warn", "REGION": "eu", "TOKEN": "t"},
		Streams: map[int]string{0: "in.json", 1: "out.json"},
	}}
	tests := []struct {
		name string
		opts bakefile.Options
		want []bakefile.Bake
	}{
		{"all, in file order", bakefile.Options{LookupEnv: environ("VERSION=7")}, []bakefile.Bake{zeta, alpha, mid}},
		{"named, in file order, once", bakefile.Options{Names: []string{"mid", "zeta", "mid"}}, []bakefile.Bake{zeta, mid}},
		{"profile over bake over defaults", bakefile.Options{
			Profile: "prod", Names: []string{"alpha"}, LookupEnv: environ("TOKEN=t"),
		}, []bakefile.Bake{prodAlpha}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := bakefile.Parse([]byte(fleet), "fleet.yaml", tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestChoiceProblems(t *testing.T) {
	const plain = "model: m\nprofiles: {dev: {}, prod: {}}"
	var names []string
	manyBakes := "bakes:\n"
	for i := range 40 {
		names = append(names, fmt.Sprintf("b%d", i))
		manyBakes += "  " + names[i] + ": {model: m}\n"
	}
	thirtyNames := strings.Join(names[:30], ", ")
	tests := []struct {
		name, data string
		opts       bakefile.Options
		want       string
	}{
		{"misspelt profile", plain, bakefile.Options{Profile: "prd"}, "0:0: unknown profile \"prd\"; the file's profiles: dev, prod [did you mean \"prod\"?]\n"},
		{"other profile", plain, bakefile.Options{Profile: "stage-eu"}, "0:0: unknown profile \"stage-eu\"; the file's profiles: dev, prod\n"},
		{"no profiles", "model: m", bakefile.Options{Profile: "prod"}, "0:0: unknown profile \"prod\"; the file's profiles: none\n"},
		{"name in a plain file", plain, bakefile.Options{Names: []string{"a"}}, "0:0: no bake \"a\": not a fleet file [leave the name out]\n"},
		{"misspelt name", fleet, bakefile.Options{Names: []string{"zeta", "alhpa"}}, "0:0: no bake \"alhpa\" [did you mean \"alpha\"?]\n"},
		{"other name", fleet, bakefile.Options{Names: []string{"omega-3"}}, "0:0: no bake \"omega-3\" [bakes: zeta, alpha, mid]\n"},
		{
			"name in a large fleet", manyBakes,
			bakefile.Options{Names: []string{"omega"}},
			"0:0: no bake \"omega\" [bakes: " + thirtyNames + ", b30, b31, b32, b33, b34 and 5 more]\n",
		},
		{"variables of what takes effect", fleet, bakefile.Options{Profile: "prod"}, "5:31: env \"TOKEN\": variable \"TOKEN\" is required: needed in prod\n"},
		{
			"once for all bakes", "defaults: {model: \"$M\"}\nbakes: {a: {}, b: {}}",
			bakefile.Options{},
			"1:19: model: variable \"M\" is not set [set it, or write ${M:-} for an empty default]\n",
		},
		{
			"missing models", "defaults: {base: x}\nbakes:\n  a: {model: m}\n  b: {}\n  c: {tags: [t]}\n",
			bakefile.Options{},
			"4:3: bake \"b\" has no model [add \"model: FILE\"]\n5:3: bake \"c\" has no model [add \"model: FILE\"]\n",
		},
		{
			"missing model of a named bake", "bakes:\n  a: {model: m}\n  b: {}\n  c: {}\n",
			bakefile.Options{Names: []string{"c"}},
			"4:3: bake \"c\" has no model [add \"model: FILE\"]\n",
		},
		{"missing model with a profile", "profiles: {p: {}}", bakefile.Options{Profile: "p"}, "1:1: the file has no model [add \"model: FILE\"]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bakes, err := bakefile.Parse([]byte(tt.data), "b.yaml", tt.opts)
			if bakes != nil {
				t.Errorf("bakes beside an error: %+v", bakes)
			}
			if diff := cmp.Diff(tt.want, report(t, err, "b.yaml")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestFleetProblems(t *testing.T) {
	const beside = " is beside bakes or defaults [put it under defaults]"
	const grammar = `: want letters, digits, ".", "_" and "-", the first a letter or digit`
	runProblemTests(t, []problemTest{
		{"keys beside bakes", "model: m\nbakes: {a: {}}\nenv: {}\nbaks: {}\n", []string{
			`1:1: key "model"` + beside,
			`2:9: bake "a" has no model [add "model: FILE"]`,
			`3:1: key "env"` + beside,
			`4:1: unknown key "baks" [did you mean "bakes"?]`,
		}},
		{"defaults without bakes", "defaults: {model: m}\ntags: []\nxyz: 1\n", []string{
			"1:1: defaults without bakes [add bakes, a mapping of names to bakes, or move the keys of defaults to the top level]",
			`2:1: key "tags"` + beside,
			`3:1: unknown key "xyz" [keys: profiles, defaults, bakes]`,
		}},
		{"wrong kinds", "defaults: []\nbakes: {a: , b: x, c: [d]}\nprofiles: p\n", []string{
			"1:11: defaults is a list; want a mapping",
			`2:12: bake "a" is null [write {} for none, or remove the key]`,
			`2:17: bake "b" is a scalar; want a mapping`,
			`2:23: bake "c" is a list; want a mapping`,
			"3:11: profiles is a scalar; want a mapping",
		}},
		{"no bakes", "bakes: {}", []string{"1:8: bakes is empty"}},
		{"null bakes", "bakes:", []string{"1:7: bakes is null [write {} for none, or remove the key]"}},
		{"names", "bakes: {-a: &m {model: m}, a b: *m, a/b: *m, é: *m, 1.x_y-z: *m}\nprofiles: {.x: {}}", []string{
			`1:9: bake name "-a"` + grammar,
			`1:28: bake name "a b"` + grammar,
			`1:37: bake name "a/b"` + grammar,
			`1:46: bake name "é"` + grammar,
			`2:12: profile name ".x"` + grammar,
		}},
		{"problems of every bake and profile", "bakes:\n  a: {modell: m}\n  b: {model: m, layers: x}\nprofiles:\n  p: {tags: t}\n", []string{
			`2:7: unknown key "modell" [did you mean "model"?]`,
			`3:25: layers "x": want auto, class or single`,
			"5:13: tags is a scalar; want a list",
		}},
	})
}

func TestProfile(t *testing.T) {
	const data = `
model: m.py3
base: "${BASE}"
tags: [a, b]
allow: [X-1, X-2]
schemas: {in: in.avsc, out: out.avsc}
unpack: {a.zip: a, b.zip: b}
labels: {a: "1", b: "2"}
layers: single
profiles:
  p:
    base: engine:p
    tags: [c]
    allow: []
    schemas: {out: p.avsc, more: more.avsc}
    unpack: {./a.zip: ""}
    labels: {}
    model: p.py3
`
	want := bake.Spec{
		Base: "engine:p", Tags: []string{"c"}, Model: "p.py3",
		Schemas: map[string]string{"in": "in.avsc", "out": "p.avsc", "more": "more.avsc"},
		Unpack:  map[string]string{"a.zip": "", "b.zip": "b"},
		Labels:  map[string]string{"a": "1", "b": "2"},
		Layers:  bake.LayersSingle,
	}
	// BASE is not set: the profile replaces the value that needs it.
	if diff := cmp.Diff(want, parse(t, data, bakefile.Options{Profile: "p"})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	onlyInProfile := "profiles: {p: {model: m}}"
	if diff := cmp.Diff(bake.Spec{Model: "m"}, parse(t, onlyInProfile, bakefile.Options{Profile: "p"})); diff != "" {
		t.Errorf("model in the profile (-want +got):\n%s", diff)
	}
}
