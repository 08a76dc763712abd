// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestInspectProblems(t *testing.T) {
	tests := []struct {
		name  string
		env   map[string]string // replaced
		files fstest.MapFS      // replaced; nil removes
		want  []string
	}{
		{
			name: "no variables",
			env:  map[string]string{"MODEL": "", "SCHEMAS": "", "STREAMS": "", "CONNECT_PREFIX": ""},
			want: []string{"CONNECT_PREFIX: not set", "MODEL: not set"},
		},
		{
			name: "no schemas and no streams",
			env:  map[string]string{"SCHEMAS": "", "STREAMS": ""},
			want: []string{
				`MODEL: /assets/model.py3: schema "inputsch" of slot 0 is not bound by SCHEMAS`,
				`MODEL: /assets/model.py3: schema "outputsch" of slot 1 is not bound by SCHEMAS`,
				"STREAMS: no stream for slot 0, which the model uses",
				"STREAMS: no stream for slot 1, which the model uses",
			},
		},
		{
			// The published example copies every file but this one.
			name:  "missing file",
			files: fstest.MapFS{"assets/kafka.json": nil},
			want:  []string{"STREAMS slot 1: /assets/kafka.json: no such file"},
		},
		{
			name:  "missing model",
			files: fstest.MapFS{"assets/model.py3": nil},
			want:  []string{"MODEL: /assets/model.py3: no such file"},
		},
		{
			name: "every broken file is named",
			files: fstest.MapFS{
				"assets/input.avsc": text(`{"type": "foobar"}`),
				"assets/rest.json":  text(`{"Transport": "rest",}`),
				"assets/kafka.json": text(""),
			},
			want: []string{
				"SCHEMAS name inputsch: /assets/input.avsc: avro: unknown type: foobar",
				"STREAMS slot 0: /assets/rest.json: not a JSON object: invalid character '}' looking for beginning of object key string",
				"STREAMS slot 1: /assets/kafka.json: empty file",
			},
		},
		{
			name:  "a bare word is no schema",
			files: fstest.MapFS{"assets/output.avsc": text("double")},
			want:  []string{"SCHEMAS name outputsch: /assets/output.avsc: not a JSON document in UTF-8"},
		},
		{
			name: "a name declared in another schema",
			files: fstest.MapFS{
				"assets/output.avsc": text(`{"type": "array", "items": "bank.Input"}`),
			},
			want: []string{"SCHEMAS name outputsch: /assets/output.avsc: avro: unknown type: bank.Input"},
		},
		{
			name: "bad slots",
			env:  map[string]string{"STREAMS": "0:/assets/rest.json;01:/assets/kafka.json;-1:/assets/kafka.json;in:/assets/rest.json;1:/assets/kafka.json"},
			want: []string{
				`STREAMS: "-1" is not a slot`,
				`STREAMS: "01" is not a slot`,
				`STREAMS: "in" is not a slot`,
			},
		},
		{
			name: "bad items",
			env: map[string]string{
				"SCHEMAS": "inputsch:/assets/input.avsc;outputsch:/assets/output.avsc;a=/b;:/c;",
				"STREAMS": "0:/assets/rest.json;1:/assets/kafka.json;;3:kafka:9092/t",
			},
			want: []string{
				`SCHEMAS: "" is not a name`,
				`SCHEMAS: item "a=/b" needs exactly one ":"`,
				`STREAMS: item "" needs exactly one ":"`,
				`STREAMS: item "3:kafka:9092/t" needs exactly one ":"`,
			},
		},
		{
			name: "bad paths",
			env: map[string]string{
				"MODEL":       "model.py3",
				"SCHEMAS":     "a:/assets/../a;b:/assets//b;c:/assets/;d:/a b;e:/.",
				"STREAMS":     "",
				"ATTACHMENTS": "/a$b.zip",
			},
			want: []string{
				`ATTACHMENTS: "/a$b.zip" is not an absolute, normalised path of plain characters`,
				`MODEL: "model.py3" is not an absolute, normalised path of plain characters`,
				`SCHEMAS name a: "/assets/../a" is not an absolute, normalised path of plain characters`,
				`SCHEMAS name b: "/assets//b" is not an absolute, normalised path of plain characters`,
				`SCHEMAS name c: "/assets/" is not an absolute, normalised path of plain characters`,
				`SCHEMAS name d: "/a b" is not an absolute, normalised path of plain characters`,
				`SCHEMAS name e: "/." is not an absolute, normalised path of plain characters`,
			},
		},
		{
			name: "slot bound twice",
			env:  map[string]string{"STREAMS": "0:/assets/rest.json;1:/assets/kafka.json;1:/assets/rest.json;0:/assets/rest.json"},
			want: []string{"STREAMS slot 1: bound twice, to /assets/kafka.json and /assets/rest.json"},
		},
		{
			name: "directory",
			env:  map[string]string{"STREAMS": "0:/assets;1:/assets/kafka.json"},
			want: []string{"STREAMS slot 0: /assets: not a regular file"},
		},
		{
			name: "modes that lock the engine user out",
			files: fstest.MapFS{
				"assets":           &fstest.MapFile{Mode: fs.ModeDir | 0o700},
				"assets/model.py3": &fstest.MapFile{Data: []byte("x = 1\n"), Mode: 0o600},
			},
			env: map[string]string{"SCHEMAS": "", "STREAMS": ""},
			want: []string{
				"MODEL: /assets/model.py3: mode 0600 is not world-readable",
				"MODEL: /assets: directory of mode 0700 is not world-searchable",
				"STREAMS: no stream for slot 0, which the model uses",
				"STREAMS: no stream for slot 1, which the model uses",
			},
		},
		{
			name: "unbound names and slots",
			env:  map[string]string{"SCHEMAS": "outputsch:/assets/output.avsc"},
			files: fstest.MapFS{
				"assets/model.py3": text("# fastscore.schema.2: extra\n# fastscore.slot.1: unused\n"),
			},
			want: []string{
				`MODEL: /assets/model.py3: schema "extra" of slot 2 is not bound by SCHEMAS`,
				`STREAMS slot 0: /assets/rest.json: schema "inputsch" is not bound by SCHEMAS`,
				"STREAMS slot 1: /assets/kafka.json: the model does not use this slot",
				"STREAMS: no stream for slot 2, which the model uses",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			env, files := completeEnv(), completeFiles()
			maps.Copy(env, test.env)
			maps.Copy(files, test.files)
			maps.DeleteFunc(files, func(_ string, f *fstest.MapFile) bool { return f == nil })
			got := inspectMap(env, files).Problems
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

func TestConnectPrefix(t *testing.T) {
	const (
		notURL  = " is not a URL like https://host:8001"
		tooMuch = " has more than scheme, host and port"
	)
	tests := []struct{ value, want string }{
		{"https://connect:8001", ""},
		{"http://127.0.0.1:8001/", ""},
		{"https://[::1]:8001", ""},
		{"connect:8001", notURL},
		{"ftp://connect", notURL},
		{"https://", notURL},
		{"https://:8001", notURL},
		{"https://connect:", notURL},
		{"https://connect/api", tooMuch},
		{"https://connect?x=1", tooMuch},
		{"https://connect?", tooMuch},
		{"https://connect#", tooMuch},
		{"https://me@connect", tooMuch},
	}
	for _, test := range tests {
		t.Run(test.value, func(t *testing.T) {
			env := completeEnv()
			env["CONNECT_PREFIX"] = test.value
			want := []string{}
			if test.want != "" {
				want = append(want, `CONNECT_PREFIX: "`+test.value+`"`+test.want)
			}
			report := inspectMap(env, completeFiles())
			if diff := cmp.Diff(want, report.Problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if report.ConnectPrefix != test.value {
				t.Errorf("connectPrefix = %q, want the value as given", report.ConnectPrefix)
			}
		})
	}
}
