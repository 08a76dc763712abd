// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
)

// reread writes a spec as a bake file and reads that.
func reread(t *testing.T, spec bake.Spec) (bake.Spec, []string) {
	t.Helper()
	page, unsaid, err := bake.BakeFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	bakes, err := bakefile.Parse(page, bake.BakeFileName, bakefile.Options{ModelGiven: true})
	if err != nil {
		t.Fatalf("%v\n%s", err, page)
	}
	return bakes[0].Spec, unsaid
}

func TestBakeFileOfEveryField(t *testing.T) {
	mode := fs.ModeSetuid | 0o750
	spec := bake.Spec{
		Base: "docker.io/fastscore/engine:1.10@sha256:" + strings.Repeat("a", 64), Tags: []string{"a/b:c"},
		Model: "c:model.py3", Schemas: map[string]string{"in": "2/in.avsc"}, Streams: map[int]string{10: "b.json", 2: "$x"},
		Attachments: []string{"a.zip", "- b.zip"}, Unpack: map[string]string{"w.tar": "", "x.tar": "/opt/$x"},
		Assets: []bake.Asset{{Path: "a"}, {Path: "b", Dest: "/c=d"}, {Path: "e:f", Dest: "g/"}},
		Copies: []bake.Copy{
			{Path: "d:f", Dest: "/f", Owner: &bake.Owner{UID: 1, GID: 2}, Mode: &mode, Instruction: "copy to /f"},
			{Path: "t.tar", Dest: "/t: x", Tree: true, Instruction: "copy to /t: x"},
			{Path: "u.tar", Dest: "/", Unpack: true, Instruction: "copy to /"},
			{Dest: "/empty", Instruction: "copy to /empty"},
		},
		Dirs:          map[string]bake.Dir{"/opt": {Mode: fs.ModeSticky | 0o777, Owner: bake.Owner{UID: 5}}},
		ConnectPrefix: "https://connect:8001", AssetsDir: "/srv/a b",
		Env: map[string]string{"A": "${B}"}, Labels: map[string]string{"l": "x: y # z"}, Annotations: map[string]string{"a": "null"},
		Settings: bake.Settings{
			User: "0", WorkingDir: "/", StopSignal: "9", Entrypoint: []string{"/bin/sh", "-c", ""}, Cmd: []string{},
			ExposedPorts: []string{"1/tcp"}, Volumes: []string{"/v"},
		},
		Platforms: []string{"linux/arm/v7"}, Compression: bake.Compression{Algorithm: bake.Zstd, Level: 19}, Layers: bake.LayersClass,
		OCI: true, Created: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Allow: []string{"SD-54"},
	}
	got, unsaid := reread(t, spec)
	if diff := cmp.Diff(spec, got); diff != "" || unsaid != nil {
		t.Errorf("unsaid %q (-want +got):\n%s", unsaid, diff)
	}
}

// FuzzBakeFile writes text that is anybody's where a bake file may have any,
// and reads it again.
func FuzzBakeFile(f *testing.F) {
	for _, seed := range []string{
		"plain", "", " ", "a: b", "# c", "${HOME:-x} $$", "\"quoted\" 'twice' \\", "line\nbreak\r\n\ttab", "~", "null", "NULL", "1.10", "0x1F", "true",
		"\x00", "\u2028\u2029\u0085\ufeff\U0001F600\U0010FFFF\uFFFE", "\xff", "- a", "? b", "!!str x", "&a *a", "<<", "=", "{a: b}", "[c]", "%x", "@y", "`z`", "|", ">-",
		"a:", "a:b", "--- ", "...", strings.Repeat("k", 3000), "\u00a0é\u202e", "\ud7ff\ue000",
	} {
		f.Add(seed, seed)
		f.Add("KEY", seed)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		if strings.Contains(key, "=") || len(key)+len(value) > 100_000 {
			return // an environment has no such name, and a bake file no such size
		}
		spec := bake.Spec{
			Model: "m",
			Env:   map[string]string{key: value}, Labels: map[string]string{key: value, "z": "z"}, Annotations: map[string]string{key: value},
		}
		text := utf8.ValidString(value) && !strings.Contains(value, "\x00")
		if text && value != "" {
			spec.Settings.User, spec.Settings.Cmd = value, []string{value, "", value}
			spec.ConnectPrefix = value
		}
		want := spec
		want.Env, want.Labels, want.Annotations = maps.Clone(spec.Env), maps.Clone(spec.Labels), maps.Clone(spec.Annotations)
		got, unsaid := reread(t, spec)
		sayable := text && utf8.ValidString(key) && key != "" && !strings.ContainsAny(key, "\x00") && !strings.Contains(key, "${")
		if sayable != (unsaid == nil) {
			t.Errorf("unsaid: %q", unsaid)
		}
		if !sayable {
			delete(want.Labels, key)
			want.Env, want.Annotations = nil, nil
			if key == "z" {
				want.Labels = nil
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestBakeFileThatIsTooLong(t *testing.T) {
	_, _, err := bake.BakeFile(bake.Spec{Labels: map[string]string{"long": strings.Repeat("x", 1<<20)}})
	if err == nil || !strings.Contains(err.Error(), "more than a bake file may have") {
		t.Errorf("got %v", err)
	}
}
