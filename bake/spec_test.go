// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
)

func TestParseAsset(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want bake.Asset // zero is an error
	}{
		{"a.csv", bake.Asset{Path: "a.csv"}},
		{"a.csv=", bake.Asset{Path: "a.csv"}},
		{"a/b=c/d", bake.Asset{Path: "a/b", Dest: "c/d"}},
		{"a=b=c", bake.Asset{Path: "a", Dest: "b=c"}},
		{"", bake.Asset{}},
		{"=b", bake.Asset{}},
	} {
		got, err := bake.ParseAsset(tc.in)
		if got != tc.want || (err != nil) != (tc.want == bake.Asset{}) {
			t.Errorf("%q: got %+v, %v, want %+v", tc.in, got, err, tc.want)
		}
	}
}

func TestParseCompression(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want bake.Compression // zero is an error
		says string
	}{
		{"gzip", bake.Compression{Algorithm: bake.Gzip}, ""},
		{"gzip:9", bake.Compression{Algorithm: bake.Gzip, Level: 9}, ""},
		{"zstd:22", bake.Compression{Algorithm: bake.Zstd, Level: 22}, ""},
		{"none", bake.Compression{Algorithm: bake.None}, ""},
		{"", bake.Compression{}, "want gzip, zstd or none"},
		{"xz", bake.Compression{}, "want gzip, zstd or none"},
		{"gzip:0", bake.Compression{}, "1 to 9"},
		{"gzip:10", bake.Compression{}, "1 to 9"},
		{"gzip:", bake.Compression{}, "1 to 9"},
		{"zstd:23", bake.Compression{}, "1 to 22"},
		{"none:1", bake.Compression{}, "no levels"},
	} {
		got, err := bake.ParseCompression(tc.in)
		if got != tc.want || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: got %+v, %v, want %+v, %q", tc.in, got, err, tc.want, tc.says)
		}
		if err == nil && got.String() != tc.in {
			t.Errorf("%q is %q", tc.in, got)
		}
	}
	if got := (bake.Compression{}).String(); got != "gzip" {
		t.Errorf("the zero value is %q", got)
	}
}

func TestParseLayerMode(t *testing.T) {
	for _, tc := range []struct {
		in string
		ok bool
	}{{"auto", true}, {"class", true}, {"single", true}, {"", false}, {"Auto", false}} {
		if got, err := bake.ParseLayerMode(tc.in); (err == nil) != tc.ok || tc.ok && string(got) != tc.in {
			t.Errorf("%q: got %q, %v", tc.in, got, err)
		}
	}
}

func TestPlan(t *testing.T) {
	spec := scorer("127.0.0.1:1/team/base", "127.0.0.1:1/team/scorer")
	spec.Env = map[string]string{"LEVEL": "info"}
	plan := newPlan(t, spec)
	// The plan is not changed by what becomes of its Spec.
	clear(spec.Schemas)
	spec.Env["LEVEL"] = "debug"
	wantEnv := []string{
		"MODEL=/assets/model.py3",
		"SCHEMAS=input:/assets/input.avsc;output:/assets/output.avsc",
		"STREAMS=0:/assets/rest.json;1:/assets/kafka.json",
		"CONNECT_PREFIX=https://connect:8001",
		"LEVEL=info",
	}
	if diff := cmp.Diff(wantEnv, plan.Env()); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
	file := func(role bake.Role, name, source string) bake.File {
		return bake.File{Role: role, Name: name, Path: "/assets/" + source, Source: source, Size: int64(len(scorerFiles()[source].Data))}
	}
	wantFiles := []bake.File{
		file(bake.RoleModel, "", "model.py3"),
		file(bake.RoleSchema, "input", "input.avsc"),
		file(bake.RoleSchema, "output", "output.avsc"),
		file(bake.RoleStream, "0", "rest.json"),
		file(bake.RoleStream, "1", "kafka.json"),
	}
	if diff := cmp.Diff(wantFiles, plan.Files()); diff != "" {
		t.Errorf("Files (-want +got):\n%s", diff)
	}
}

// A variable of the contract may be given word for word where no field says
// it, and names files as a field does.
func TestVerbatim(t *testing.T) {
	base := fixedBase(t)
	spec := scorer(base)
	spec.Model, spec.Schemas = "", nil
	spec.Env = map[string]string{"MODEL": "/opt/m.py3", "SCHEMAS": "b:/opt/in.avsc;a:/opt/in.avsc;c:/opt/in.avsc;d:/opt/in.avsc"}
	spec.Copies = []bake.Copy{
		{Path: "model.py3", Dest: "/opt/m.py3", Instruction: "COPY model.py3 /opt/m.py3"},
		{Path: "input.avsc", Dest: "/opt/in.avsc", Instruction: "COPY input.avsc /opt/in.avsc"},
	}
	plan := newPlan(t, spec)
	if env := plan.Env(); !slices.Contains(env, "MODEL=/opt/m.py3") || !slices.Contains(env, "SCHEMAS="+spec.Env["SCHEMAS"]) {
		t.Errorf("Env %q", env)
	}
	roles := map[bake.Role]int{}
	for _, f := range plan.Files() {
		roles[f.Role]++
	}
	want := map[bake.Role]int{bake.RoleModel: 1, bake.RoleSchema: 4, bake.RoleStream: 2}
	if !maps.Equal(roles, want) {
		t.Errorf("roles %v, want %v", roles, want)
	}
	digest := digestFor(t, spec)
	for range 8 {
		if got := digestFor(t, spec); got != digest {
			t.Fatalf("digest %s, then %s", digest, got)
		}
	}
}
