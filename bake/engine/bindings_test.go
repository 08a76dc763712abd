// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// marks are findings as "severity RULE VARIABLE".
func marks(found []engine.Finding) []string {
	var all []string
	for _, f := range found {
		all = append(all, fmt.Sprintf("%s %s %s", f.Severity, f.Rule, f.Variable))
	}
	return all
}

func hasError(found []engine.Finding) bool {
	for _, f := range found {
		if f.Severity == engine.Error {
			return true
		}
	}
	return false
}

var fullBindings = engine.Bindings{
	Model:         "/assets/model.py3",
	Schemas:       map[string]string{"out_1": "/assets/out.avsc", "in": "/assets/in.avsc", "_a-b.c": "/a/~+@=/x"},
	Streams:       map[int]string{10: "/assets/kafka.json", 0: "/assets/rest.json", 1: "/assets/rest.json", 999: "/d"},
	Attachments:   []string{"/assets/z.zip", "/assets/a.tgz"},
	ConnectPrefix: "https://connect:8001",
}

func TestEnv(t *testing.T) {
	want := []string{
		"MODEL=/assets/model.py3",
		"SCHEMAS=_a-b.c:/a/~+@=/x;in:/assets/in.avsc;out_1:/assets/out.avsc",
		"STREAMS=0:/assets/rest.json;1:/assets/rest.json;10:/assets/kafka.json;999:/d",
		"ATTACHMENTS=/assets/z.zip;/assets/a.tgz",
		"CONNECT_PREFIX=https://connect:8001",
	}
	if diff := cmp.Diff(want, fullBindings.Env()); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
	if found := fullBindings.Validate(); found != nil {
		t.Errorf("Validate: %v", found)
	}
	got, found := engine.Decode(want)
	if diff := cmp.Diff(fullBindings, got); diff != "" || found != nil {
		t.Errorf("Decode (-want +got):\n%s\nfindings: %v", diff, found)
	}
	if got := (engine.Bindings{Model: "/m.R"}).Env(); len(got) != 1 || got[0] != "MODEL=/m.R" {
		t.Errorf("Env of a model alone: %q", got)
	}
}

func TestDecode(t *testing.T) {
	const model = "MODEL=/assets/model.py"
	long := "/assets/" + strings.Repeat("a", 131072)
	for _, tc := range []struct {
		name string
		env  []string
		want []string
		says string // part of the first finding's message
		hint string // part of its hint
	}{
		{"the least", []string{model}, nil, "", ""},
		{"other variables", []string{model, "PATH=a;b", "HOME"}, nil, "", ""},
		{"empty lists", []string{model, "SCHEMAS=", "STREAMS=", "ATTACHMENTS=", "CONNECT_PREFIX="}, nil, "", ""},
		{"last key wins", []string{"MODEL=x", "STREAMS=:", model, "STREAMS=0:/a"}, nil, "", ""},
		{"prefix with slash", []string{model, "CONNECT_PREFIX=https://[::1]:8001/"}, nil, "", ""},

		{"no model", nil, []string{"error ENV-01 MODEL"}, "MODEL is not set", ""},
		{"empty model", []string{"MODEL="}, []string{"error ENV-01 MODEL"}, "MODEL is not set", ""},
		{"two models", []string{"MODEL=/a.py;/b.py"}, []string{"error ENV-01 MODEL"}, `names 2 files: "/a.py", "/b.py"`, ""},
		{"model with semicolon", []string{"MODEL=/a.py;"}, []string{"error ENV-04 MODEL"}, `";"`, "rename"},

		{
			"no colon",
			[]string{model, "SCHEMAS=in:/assets/i.avsc;outputsch=/assets/o.avsc"},
			[]string{"error ENV-02 SCHEMAS"},
			`SCHEMAS: item 2 "outputsch=/assets/o.avsc" has no ":"`, `"outputsch:/assets/o.avsc"`,
		},
		{"comma", []string{model, "SCHEMAS=a:/a,b:/b"}, []string{"error ENV-02 SCHEMAS"}, `has 2 ":"`, `separate items with ";", not ","`},
		{"two colons", []string{model, "SCHEMAS=a:b:/b"}, []string{"error ENV-02 SCHEMAS"}, `has 2 ":"`, `neither names nor paths`},
		{"literal rest", []string{model, "STREAMS=0:rest:"}, []string{"error ENV-02 STREAMS"}, `"0:rest:"`, "0:/assets/rest.json"},
		{"literal kafka", []string{model, "STREAMS=1:kafka:host:9092/t.json"}, []string{"error ENV-02 STREAMS"}, "", "1:/assets/kafka.json"},
		{"literal oddity", []string{model, "STREAMS=1:k f:host"}, []string{"error ENV-02 STREAMS"}, "", "1:/assets/stream.json"},
		{"stream without slot", []string{model, "STREAMS=/assets/rest.json"}, []string{"error ENV-02 STREAMS"}, "", "slot:path"},
		{"schema without name", []string{model, "SCHEMAS=/assets/a.avsc"}, []string{"error ENV-02 SCHEMAS"}, "", "name:path"},
		{"empty name", []string{model, "SCHEMAS=:/a"}, []string{"error ENV-02 SCHEMAS"}, "item 1 has no name", ""},
		{"empty slot", []string{model, "STREAMS=:/a"}, []string{"error ENV-02 STREAMS"}, "has no slot", ""},
		{"empty path", []string{model, "STREAMS=0:"}, []string{"error ENV-02 STREAMS"}, "has no path", ""},
		{"empty item", []string{model, "STREAMS=0:/a;;1:/b"}, []string{"error ENV-02 STREAMS"}, "item 2 is empty", ""},
		{"only semicolon", []string{model, "ATTACHMENTS=;"}, []string{"error ENV-02 ATTACHMENTS", "error ENV-02 ATTACHMENTS"}, "", ""},
		{"name with space", []string{model, "SCHEMAS=a b:/a"}, []string{"error ENV-02 SCHEMAS"}, "contains a space", ""},
		{"name with dash first", []string{model, "SCHEMAS=-a:/a"}, []string{"error ENV-02 SCHEMAS"}, `starts with "-"`, ""},

		{"trailing semicolon", []string{model, "STREAMS=0:/a;"}, []string{"warning ENV-03 STREAMS"}, `trailing ";" ignored`, ""},

		{"path with space", []string{"MODEL=/assets/my model.py"}, []string{"error ENV-04 MODEL"}, `path "/assets/my model.py" contains a space`, ""},
		{"path with umlaut", []string{model, "STREAMS=0:/ä"}, []string{"error ENV-04 STREAMS"}, `slot 0 -> path "/ä" contains "ä"`, ""},
		{"path with variable", []string{model, "STREAMS=0:/$DIR/a"}, []string{"error ENV-04 STREAMS"}, `contains "$"`, ""},
		{"path not UTF-8", []string{model, "ATTACHMENTS=/a\xff"}, []string{"error ENV-04 ATTACHMENTS"}, "not UTF-8", ""},

		{"relative", []string{"MODEL=model.py"}, []string{"error ENV-05 MODEL"}, `MODEL "model.py" must be an absolute`, "/assets/model.py"},
		{"double slash", []string{"MODEL=/a//b"}, []string{"error ENV-05 MODEL"}, `contains "//"`, ""},
		{"dot", []string{"MODEL=/a/./b"}, []string{"error ENV-05 MODEL"}, `the segment "."`, ""},
		{"dot dot", []string{"MODEL=/a/../b"}, []string{"error ENV-05 MODEL"}, `the segment ".."`, ""},
		{"slash last", []string{"MODEL=/a/"}, []string{"error ENV-05 MODEL"}, `end in "/"`, ""},
		{"root", []string{"MODEL=/"}, []string{"error ENV-05 MODEL"}, "root", "/assets/FILE"},

		{"slot twice", []string{model, "STREAMS=0:/a;0:/b"}, []string{"error ENV-06 STREAMS"}, `slot 0 is bound twice ("/a", "/b")`, ""},
		{"schema twice alike", []string{model, "SCHEMAS=a:/a;a:/a"}, []string{"warning ENV-06 SCHEMAS"}, "bound twice to /a", ""},

		{"slot name", []string{model, "STREAMS=in:/a"}, []string{"error ENV-07 STREAMS"}, `"in" is not a slot number`, ""},
		{"slot sign", []string{model, "STREAMS=-1:/a"}, []string{"error ENV-07 STREAMS"}, "", "without sign"},
		{"slot zero", []string{model, "STREAMS=00:/a"}, []string{"error ENV-07 STREAMS"}, "", "leading zero"},
		{"slot large", []string{model, "STREAMS=1000:/a"}, []string{"error ENV-07 STREAMS"}, "", "999"},
		{"slot space", []string{model, "STREAMS=0:/a; 1:/b"}, []string{"error ENV-07 STREAMS"}, `" 1"`, "white space"},

		{"prefix no URL", []string{model, "CONNECT_PREFIX=connect:8001"}, []string{"error ENV-12 CONNECT_PREFIX"}, "is not a URL", "https://HOST:PORT"},
		{"prefix no host", []string{model, "CONNECT_PREFIX=https://:8001"}, []string{"error ENV-12 CONNECT_PREFIX"}, "no valid host", ""},
		{"prefix scheme", []string{model, "CONNECT_PREFIX=ftp://c:1"}, []string{"error ENV-12 CONNECT_PREFIX"}, `scheme "ftp"`, ""},
		{"prefix path", []string{model, "CONNECT_PREFIX=https://c:1/api"}, []string{"error ENV-12 CONNECT_PREFIX"}, `path "/api"`, ""},
		{"prefix query", []string{model, "CONNECT_PREFIX=https://c:1?"}, []string{"error ENV-12 CONNECT_PREFIX"}, "query", ""},
		{"prefix port", []string{model, "CONNECT_PREFIX=https://c:80000"}, []string{"error ENV-12 CONNECT_PREFIX"}, "port", ""},
		{"prefix port empty", []string{model, "CONNECT_PREFIX=https://c:"}, []string{"error ENV-12 CONNECT_PREFIX"}, "port", ""},
		{"prefix space", []string{model, "CONNECT_PREFIX=https://c:1 "}, []string{"error ENV-12 CONNECT_PREFIX"}, "white space", ""},
		{"prefix userinfo", []string{model, "CONNECT_PREFIX=https://me:pw@c:1"}, []string{"error ENV-12 CONNECT_PREFIX"}, "user name", ""},
		{"prefix http", []string{model, "CONNECT_PREFIX=http://c:1"}, []string{"warning ENV-12 CONNECT_PREFIX"}, "not encrypted", ""},

		{"long", []string{"MODEL=" + long}, []string{"error ENV-13 MODEL"}, "MODEL is 131086 bytes", ""},
		{"just fits", []string{"MODEL=" + long[:131071-len("MODEL=")]}, nil, "", ""},
		{"one too long", []string{"MODEL=" + long[:131072-len("MODEL=")]}, []string{"error ENV-13 MODEL"}, "131072 bytes", ""},

		{"dash and underscore", []string{model, "SCHEMAS=in-row:/a;in_row:/b"}, []string{"warning ENV-15 SCHEMAS"}, `"in-row" and "in_row"`, ""},
		{"case", []string{model, "SCHEMAS=a:/a;A:/b"}, []string{"warning ENV-15 SCHEMAS"}, `"A" and "a"`, ""},

		{
			"all at once",
			[]string{"SCHEMAS=a;b:c", "STREAMS=x:/a;1:/b;", "ATTACHMENTS=/a b", "CONNECT_PREFIX=x"},
			[]string{
				"error ENV-01 MODEL", "error ENV-02 SCHEMAS", "error ENV-05 SCHEMAS", "warning ENV-03 STREAMS",
				"error ENV-07 STREAMS", "error ENV-04 ATTACHMENTS", "error ENV-12 CONNECT_PREFIX",
			},
			"", "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, found := engine.Decode(tc.env)
			if diff := cmp.Diff(tc.want, marks(found)); diff != "" {
				t.Fatalf("findings (-want +got):\n%s\n%v", diff, found)
			}
			for _, f := range found {
				if f.Hint == "" || len(f.Message) > 400 {
					t.Errorf("message of %d bytes, hint %q", len(f.Message), f.Hint)
				}
			}
			if len(found) > 0 && (!strings.Contains(found[0].Message, tc.says) || !strings.Contains(found[0].Hint, tc.hint)) {
				t.Errorf("got %q, hint %q; want parts %q, %q", found[0].Message, found[0].Hint, tc.says, tc.hint)
			}
		})
	}
}

func TestDecodeKeepsWhatItCanRead(t *testing.T) {
	got, _ := engine.Decode([]string{"MODEL=model.py", "SCHEMAS=x;a:/a;a:/b", "STREAMS=in:/i;1:rel;", "ATTACHMENTS=/a.zip"})
	want := engine.Bindings{
		Model: "model.py", Schemas: map[string]string{"a": "/a"}, Streams: map[int]string{1: "rel"}, Attachments: []string{"/a.zip"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestValidate(t *testing.T) {
	for _, tc := range []struct {
		name string
		b    engine.Bindings
		want []string
	}{
		{"nothing", engine.Bindings{}, []string{"error ENV-01 MODEL"}},
		{"two models", engine.Bindings{Model: "/a;/b"}, []string{"error ENV-01 MODEL"}},
		{"names", engine.Bindings{Model: "/m", Schemas: map[string]string{"": "/a", "a:b": "/b"}}, []string{"error ENV-02 SCHEMAS", "error ENV-02 SCHEMAS"}},
		{"paths", engine.Bindings{
			Model: "/m", Schemas: map[string]string{"a": "/a:b", "b": ""}, Streams: map[int]string{0: "x"}, Attachments: []string{"/a;b"},
		}, []string{"error ENV-04 SCHEMAS", "error ENV-05 SCHEMAS", "error ENV-05 STREAMS", "error ENV-04 ATTACHMENTS"}},
		{"slots", engine.Bindings{Model: "/m", Streams: map[int]string{-1: "/a", 1000: "/b"}}, []string{"error ENV-07 STREAMS", "error ENV-07 STREAMS"}},
		{"confusable", engine.Bindings{Model: "/m", Schemas: map[string]string{"a_b": "/a", "A-b": "/b"}}, []string{"warning ENV-15 SCHEMAS"}},
		{"prefix", engine.Bindings{Model: "/m", ConnectPrefix: "connect"}, []string{"error ENV-12 CONNECT_PREFIX"}},
		{"long", engine.Bindings{Model: "/m", Attachments: []string{"/" + strings.Repeat("a", 131072)}}, []string{"error ENV-13 ATTACHMENTS"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, marks(tc.b.Validate())); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A password in CONNECT_PREFIX must not reach a log by way of a finding.
func TestPrefixIsNotQuoted(t *testing.T) {
	for _, value := range []string{"https://me:hunter2@c:1", "https://me:hunter2@", "me:hunter2@c", "https://me:hunter2@c:x", "https://me:hunter2@c:1/a b"} {
		_, found := engine.Decode([]string{"MODEL=/m", "CONNECT_PREFIX=" + value})
		if len(found) != 1 || strings.Contains(fmt.Sprint(found), "hunter2") {
			t.Errorf("%q: %v", value, found)
		}
	}
}

func FuzzBindings(f *testing.F) {
	f.Add("/assets/model.py", "in", "/assets/in.avsc", 0, "/assets/rest.json", "/assets/a.zip", "https://connect:8001")
	f.Add("/m", "a-b", "/~", 999, "/x=y", "", "")
	f.Add("m", "", "/a;b", -1, "/a:b", "/ü", "http://h/p")
	f.Fuzz(func(t *testing.T, model, name, schema string, slot int, stream, attachment, prefix string) {
		b := engine.Bindings{
			Model: model, Schemas: map[string]string{name: schema}, Streams: map[int]string{slot: stream}, ConnectPrefix: prefix,
		}
		if attachment != "" {
			b.Attachments = []string{attachment, attachment}
		}
		if hasError(b.Validate()) {
			t.Skip()
		}
		got, found := engine.Decode(b.Env())
		if diff := cmp.Diff(b, got, cmpopts.EquateEmpty()); diff != "" || hasError(found) {
			t.Errorf("(-want +got):\n%s\nfindings: %v", diff, found)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add("/m", "a:/a;b:/b", "0:/a;1:/b", "/a.zip", "https://c:8001")
	f.Add(";;", "a:b:c;;", "0:rest:;-1:x", ";", "http://u:p@h:0/?")
	f.Fuzz(func(t *testing.T, model, schemas, streams, attachments, prefix string) {
		b, found := engine.Decode([]string{
			"MODEL=" + model, "SCHEMAS=" + schemas, "STREAMS=" + streams, "ATTACHMENTS=" + attachments, "CONNECT_PREFIX=" + prefix,
		})
		if hasError(found) {
			t.Skip()
		}
		// What Decode accepts can be written again and means the same.
		if more := b.Validate(); hasError(more) {
			t.Fatalf("Decode accepts %+v, Validate says %v", b, more)
		}
		again, _ := engine.Decode(b.Env())
		if diff := cmp.Diff(b, again); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}
