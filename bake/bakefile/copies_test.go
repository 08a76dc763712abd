// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
)

func TestParseCopies(t *testing.T) {
	mode := fs.FileMode(0o640)
	special := fs.ModeSetuid | fs.ModeSticky | 0o755
	for _, tt := range []struct {
		name, data string
		want       bake.Spec
	}{
		{"every kind", `copies:
  - {from: m.py3, to: /opt/m.py3, owner: "1000:100", mode: "0640"}
  - {to: /opt/x/, mode: 5755}
  - {unpack: d/a.tar.gz, to: /}
  - {tree: ./t.tar, to: "/opt/${DIR}"}
env: {MODEL: /opt/m.py3}
`, bake.Spec{
			Copies: []bake.Copy{
				{Path: "m.py3", Dest: "/opt/m.py3", Owner: &bake.Owner{UID: 1000, GID: 100}, Mode: &mode, Instruction: "copy to /opt/m.py3"},
				{Dest: "/opt/x/", Mode: &special, Instruction: "copy to /opt/x/"},
				{Path: "d/a.tar.gz", Dest: "/", Unpack: true, Instruction: "copy to /"},
				{Path: "t.tar", Dest: "/opt/y", Tree: true, Instruction: "copy to /opt/y"},
			},
			Env: map[string]string{"MODEL": "/opt/m.py3"},
		}},
		{"none", "model: m\ncopies: []", bake.Spec{Model: "m"}},
		{"directories", "model: m\ndirectories: {/opt/x/: \"0750\", /opt/y: 1777 7:8}", bake.Spec{
			Model: "m", Dirs: map[string]bake.Dir{"/opt/x": {Mode: 0o750}, "/opt/y": {Mode: fs.ModeSticky | 0o777, Owner: bake.Owner{UID: 7, GID: 8}}},
		}},
		{"settings", "model: m\nuser: fastscore\nworkdir: /opt\nentrypoint: [/bin/x, \"\"]\ncmd: []\nstopSignal: SIGINT\nports: [8080/tcp]\nvolumes: [/data]", bake.Spec{
			Model: "m", Settings: bake.Settings{
				User: "fastscore", WorkingDir: "/opt", Entrypoint: []string{"/bin/x", ""}, Cmd: []string{}, StopSignal: "SIGINT",
				ExposedPorts: []string{"8080/tcp"}, Volumes: []string{"/data"},
			},
		}},
		{"a time", "model: m\ncreated: 2026-01-31T12:00:00+02:00\nmediaTypes: oci", bake.Spec{
			Model: "m", Created: time.Date(2026, 1, 31, 10, 0, 0, 0, time.UTC), OCI: true,
		}},
		{"a profile replaces copies", "copies: [{from: a, to: /a}, {from: b, to: /b}]\nmediaTypes: base\nprofiles: {p: {copies: [{from: c, to: /c}]}}", bake.Spec{
			Copies: []bake.Copy{{Path: "c", Dest: "/c", Instruction: "copy to /c"}},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			opts := bakefile.Options{LookupEnv: environ("DIR=y")}
			if tt.name == "a profile replaces copies" {
				opts.Profile = "p"
			}
			if diff := cmp.Diff(tt.want, parse(t, tt.data, opts)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCopiesProblems(t *testing.T) {
	runProblemTests(t, []problemTest{
		{"items", "copies:\n- a=b\n- {from: a}\n- {from: a, tree: b, to: /c}\n- {form: a, to: /c}\n- {from: [a], to: /c}\n", []string{
			"2:3: copies item is a scalar; want a mapping",
			`3:3: copies item: no destination [add "to: PATH", an absolute in-image path]`,
			`4:3: copies item: more than one of from, tree and unpack [write an item for each]`,
			`5:4: copies item: unknown key "form" [did you mean "from"?]`,
			"6:10: copies from is a list; want a scalar",
		}},
		{"values", "copies:\n- {from: ../a, to: b}\n- {unpack: a/, to: /c, owner: root, mode: 0999}\n- {to: /c, owner: \"-1:0\", mode: \"17777\"}\n", []string{
			`2:10: copies from: path "../a" leaves the directory of the bake file [move the bake file up, or the file down]`,
			`2:20: copies to: "b" is no absolute in-image path`,
			`3:12: copies unpack: path "a/" names a directory; want a file`,
			`3:31: copies owner: owner "root": want UID:GID, in numbers`,
			`3:43: copies mode: mode "0999": want permissions in octal, such as 0644`,
			`4:19: copies owner: owner "-1:0": want UID:GID, in numbers`,
			`4:33: copies mode: mode "17777": want permissions in octal, such as 0644`,
		}},
		{"directories", "model: m\ndirectories: {a: \"0755\", /: \"0755\", /b: x, /c: 0755 a:b}", []string{
			`2:15: directories: "a" is no absolute in-image path`,
			`2:26: directories: "/" is no directory of the bake`,
			`2:41: directories "/b": mode "x": want permissions in octal, such as 0644`,
			`2:48: directories "/c": owner "a:b": want UID:GID, in numbers`,
		}},
		{"choices", "model: m\ncreated: yesterday\nmediaTypes: docker\nuser: ''", []string{
			`2:10: created "yesterday": want a time from 1970 on in whole seconds, such as 2026-01-31T12:00:00Z`,
			`3:13: mediaTypes "docker": want base or oci`,
			"4:7: user is empty",
		}},
	})
}
