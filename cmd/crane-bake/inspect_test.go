// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
	"github.com/crane-bake/crane-bake/bake/engine"
)

// mermaids are bakes and what is drawn of them. The charts parse with mermaid
// 11, whose flowchart grammar their escapes are for.
var mermaids = []struct {
	name     string
	bindings engine.Bindings
	slots    []bake.InspectedSlot
	want     string
}{
	{
		name: "one stream in, one out",
		bindings: engine.Bindings{
			Model:   "/assets/model.py3",
			Schemas: map[string]string{"in": "/assets/in.avsc", "out": "/assets/out.avsc"},
		},
		slots: []bake.InspectedSlot{
			{Number: 0, Stream: "/assets/rest.json", Schema: "in"},
			{Number: 1, Stream: "/assets/kafka.json", Schema: "out"},
		},
		want: `flowchart LR
  model["model.py3"]
  slot0(("0"))
  stream0[/"rest.json"/]
  stream0 --> slot0 -->|"in"| model
  slot1(("1"))
  stream1[/"kafka.json"/]
  model -->|"out"| slot1 --> stream1
`,
	},
	{
		name:     "slots without streams, streams without slots, schemas of no slot",
		bindings: engine.Bindings{Model: "/a/m.R", Schemas: map[string]string{"spare": "/a/s.avsc", "in": "/a/in.avsc"}},
		slots: []bake.InspectedSlot{
			{Number: 0, Schema: "in"},
			{Number: 1},
			{Number: 2, Stream: "/a/x.json", Unused: true},
			{Number: 3, Stream: "/a/y.json", Unused: true},
		},
		want: `flowchart LR
  model["m.R"]
  slot0(("0"))
  slot0 -->|"in"| model
  slot1(("1"))
  model --> slot1
  slot2(("2"))
  stream2[/"x.json"/]
  stream2 --> slot2 -.-> model
  slot3(("3"))
  stream3[/"y.json"/]
  model -.-> slot3 --> stream3
  schema0[("spare")] -.- model
`,
	},
	{
		name:     "names that are more than words to mermaid, Markdown or a browser",
		bindings: engine.Bindings{Model: "/a/\"];x[<b>`**\n.py3", Schemas: map[string]string{"a|b": "/a/s"}},
		slots: []bake.InspectedSlot{
			{Number: 0, Stream: "/a/%%{init:{}}%%.json", Schema: "#quot;"},
			{Number: 1, Stream: "/a/ströme style:#x;.json", Schema: "a\\b"},
		},
		want: `flowchart LR
  model["#34;#93;#59;x#91;#60;b#62;#96;#42;#42;` + "\ufffd" + `.py3"]
  slot0(("0"))
  stream0[/"#37;#37;#123;init#58;#123;#125;#125;#37;#37;.json"/]
  stream0 --> slot0 -->|"#35;quot#59;"| model
  slot1(("1"))
  stream1[/"ströme style#58;#35;x#59;.json"/]
  model -->|"a#92;b"| slot1 --> stream1
  schema0[("a#124;b")] -.- model
`,
	},
	{name: "nothing but a prefix", want: "flowchart LR\n  model[\"no model\"]\n"},
}

func TestMermaid(t *testing.T) {
	for _, tc := range mermaids {
		t.Run(tc.name, func(t *testing.T) {
			got, err := mermaidText(&bakeOf{InspectedPlatform: bake.InspectedPlatform{Bindings: tc.bindings, Slots: tc.slots}})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("chart (-want +got):\n%s", diff)
			}
		})
	}
}

var (
	aDigest = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("a", 64)}
	anIndex = v1.Hash{Algorithm: "sha256", Hex: strings.Repeat("b", 64)}
)

// quotedBake is a bake whose names and values mean something to YAML, to bake
// files, to Dockerfiles and to terminals.
func quotedBake() *bakeOf {
	file := func(role bake.Role, name, path string) bake.InspectedFile {
		return bake.InspectedFile{RecordedFile: bake.RecordedFile{Role: role, Name: name, Path: path, Size: 1, SHA256: aDigest.Hex}}
	}
	tree := func(role bake.Role, path string) bake.InspectedFile {
		f := file(role, "", path)
		f.Tree, f.Files = true, 2
		return f
	}
	return &bakeOf{
		image: "example.com/scorer@" + aDigest.String(), index: true, whole: true, platforms: []string{"linux/amd64", "linux/arm64"},
		InspectedPlatform: bake.InspectedPlatform{
			Recorded: true,
			Base:     bake.InspectedBase{Name: "example.com/engine:1", Digest: &aDigest, Index: &anIndex},
			Bindings: engine.Bindings{Model: "/assets/my model.py3"},
			Files: []bake.InspectedFile{
				file(bake.RoleModel, "", "/assets/my model.py3"),
				file(bake.RoleSchema, "in", "/assets/$in[1].avsc"),
				file(bake.RoleSchema, "same", "/assets/$in[1].avsc"),
				file(bake.RoleStream, "0", "/assets/a*\"b'.json"),
				file(bake.RoleAttachment, "", "/assets/t.tar.gz"),
				tree(bake.RoleUnpack, "/assets/weights"),
				tree(bake.RoleAsset, "/assets/lookup"),
				tree(bake.RoleAsset, "/etc/scorer/lookup"),
				file(bake.RoleAsset, "", "/etc/plain"),
				file(bake.RoleAsset, "", "/assets/a=b"),
			},
			Env: bake.InspectedChange{Set: map[string]string{
				"MODEL": "/assets/my model.py3", "SCHEMAS": "in:/assets/$in[1].avsc;same:/assets/$in[1].avsc",
				"STREAMS": "0:/assets/a*\"b'.json", "ATTACHMENTS": "/assets/t.tar.gz", "CONNECT_PREFIX": "https://c:8001",
				"DOLLAR": "${HOME} $$x \\n", "QUOTES": `a "b" 'c' #d`, "EMPTY": "", "YAML": "no: [x", "NUMBER": "007",
			}},
			Labels: bake.InspectedChange{Set: map[string]string{"a label": "é\t$x", "team": "risk"}},
			Settings: map[string]json.RawMessage{
				"User": json.RawMessage(`"1000:0"`), "WorkingDir": json.RawMessage(`"/srv/$x y"`), "Cmd": json.RawMessage("null"),
				"Entrypoint": json.RawMessage(`["/engine","a \"b\" $c"]`), "ExposedPorts": json.RawMessage(`["8003/tcp","9000/udp"]`),
				"Volumes": json.RawMessage(`["/data x"]`), "StopSignal": json.RawMessage(`"SIGINT"`),
			},
		},
	}
}

// quotedSettings is the settings of quotedBake.
var quotedSettings = bake.Settings{
	User: "1000:0", WorkingDir: "/srv/$x y", StopSignal: "SIGINT", Entrypoint: []string{"/engine", `a "b" $c`}, Cmd: []string{},
	ExposedPorts: []string{"8003/tcp", "9000/udp"}, Volumes: []string{"/data x"},
}

// What a bake file says is what was baked.
func TestBakefileOfImage(t *testing.T) {
	b := quotedBake()
	b.Env.Set["LINES"] = "one\ntwo\n"
	b.Env.Set["BIDI"] = "\u202e\U000e0001\x7f"
	text, err := bakefileText(b)
	if err != nil {
		t.Fatal(err)
	}
	bakes, err := bakefile.Parse([]byte(text), "bake.yaml", bakefile.Options{LookupEnv: func(string) (string, bool) { return "", false }})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	want := bake.Spec{
		Base:        "example.com/engine:1@" + anIndex.String(),
		Model:       "my model.py3",
		Schemas:     map[string]string{"in": "$in[1].avsc", "same": "$in[1].avsc"},
		Streams:     map[int]string{0: `a*"b'.json`},
		Attachments: []string{"t.tar.gz"},
		Unpack:      map[string]string{"weights.tar": "/assets/weights"},
		Assets: []bake.Asset{
			{Path: "lookup"},
			{Path: "etc/scorer/lookup", Dest: "/etc/scorer/lookup"},
			{Path: "plain", Dest: "/etc/plain"},
			{Path: "a_b", Dest: "/assets/a=b"},
		},
		ConnectPrefix: "https://c:8001",
		Env: map[string]string{
			"DOLLAR": b.Env.Set["DOLLAR"], "QUOTES": b.Env.Set["QUOTES"], "EMPTY": "", "YAML": "no: [x", "NUMBER": "007", "LINES": "one\ntwo\n", "BIDI": "\u202e\U000e0001\x7f",
		},
		Labels:    b.Labels.Set,
		Settings:  quotedSettings,
		Platforms: []string{"linux/amd64", "linux/arm64"},
	}
	if diff := cmp.Diff(want, bakes[0].Spec); diff != "" {
		t.Errorf("bake (-want +got):\n%s\n%s", diff, text)
	}
}

// What a Dockerfile says is what was baked.
func TestDockerfileOfImage(t *testing.T) {
	b := quotedBake()
	text, err := dockerfileText(b)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := dockerfile.Parse([]byte(text), "Dockerfile")
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	assertPrintable(t, "Dockerfile", text)
	context := fstest.MapFS{}
	for _, s := range b.sources() {
		name := s.name
		if s.Tree && s.Role != bake.RoleUnpack {
			name += "/file"
		}
		context[name] = &fstest.MapFile{Data: []byte("x")}
	}
	spec, _, err := parsed.Spec(dockerfile.Options{Context: context})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if diff := cmp.Diff(b.Env.Set, spec.Env); diff != "" {
		t.Errorf("env (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(b.Labels.Set, spec.Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(quotedSettings, spec.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	got := map[string]string{}
	for _, c := range spec.Copies {
		got[c.Path] = c.Dest
	}
	delete(got, "") // directories
	want := map[string]string{
		"my model.py3": "/assets/my model.py3", "$in[1].avsc": "/assets/$in[1].avsc", `a*"b'.json`: `/assets/a*"b'.json`,
		"t.tar.gz": "/assets/t.tar.gz", "weights.tar": "/assets/weights/weights.tar", // which is no archive here
		"lookup": "/assets/lookup", "etc/scorer/lookup": "/etc/scorer/lookup", "plain": "/etc/plain", "a=b": "/assets/a=b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("copies (-want +got):\n%s\n%s", diff, text)
	}
	if spec.Base != "example.com/engine:1@"+anIndex.String() {
		t.Errorf("base %s", spec.Base)
	}
}

// What no Dockerfile can say is a comment, and so is a base that is not known.
func TestDockerfileOfImageSaysWhatItCannot(t *testing.T) {
	b := &bakeOf{platforms: []string{"linux/amd64"}, InspectedPlatform: bake.InspectedPlatform{
		Env:      bake.InspectedChange{Set: map[string]string{"MODEL": "/m.py3", "LINES": "one\nRUN two"}},
		Settings: map[string]json.RawMessage{"User": json.RawMessage(`"x\nRUN y"`), "X-New": json.RawMessage(`1`)},
	}}
	got, err := dockerfileText(b)
	if err != nil {
		t.Fatal(err)
	}
	want := `# What is baked into .
# "crane-bake extract" writes the files that this copies.
# What it was baked on is not known: give --build-arg BASE=IMAGE.
ARG BASE
FROM ${BASE}
ENV MODEL=/m.py3
# ENV LINES has a line break or the like, which a Dockerfile cannot say: one` + "\ufffd" + `RUN two
# The image's config also has User: "x\nRUN y"
# The image's config also has X-New: 1
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever an image says, text is lines for a terminal.
func TestInspectTextIsPrintable(t *testing.T) {
	const evil = "\x1b]0;owned\a\nimage evil\t\u202e"
	b := quotedBake()
	b.platforms = []string{evil}
	b.Base.Name = evil
	b.Bindings.ConnectPrefix = evil
	b.Files = append(b.Files, bake.InspectedFile{RecordedFile: bake.RecordedFile{Role: evil, Name: evil, Path: evil, SHA256: evil}})
	b.Layers = append(b.Layers, bake.ReportLayer{Class: evil})
	change := bake.InspectedChange{Set: map[string]string{evil: evil}, Replaced: map[string]string{evil: evil}}
	b.Env, b.Labels, b.Annotations = change, change, change
	b.Settings = map[string]json.RawMessage{evil: json.RawMessage(evil)}
	b.Findings = []engine.Finding{{Rule: "ENV-08", File: evil, Message: evil, Hint: evil}}
	for name, show := range bakeFormats {
		text, err := show(b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		assertPrintable(t, name, text)
	}
	assertPrintable(t, "text", inspectText([]*bakeOf{b, b}))
}

func assertPrintable(t *testing.T, name, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.TrimSuffix(line, "\n") != printable(strings.TrimSuffix(line, "\n")) || strings.HasPrefix(line, "image evil") {
			t.Errorf("%s: line %q", name, line)
		}
	}
}
