// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const (
	modelSource  = "# fastscore.schema.0: inputsch\n# fastscore.schema.1: outputsch\ndef action(x):\n    yield x\n"
	inputSchema  = `{"type": "record", "name": "Input", "namespace": "bank", "fields": [{"name": "x", "type": "double"}]}`
	outputSchema = `"double"`
	restStream   = `{"Transport": "rest", "Encoding": "json", "Schema": {"$ref": "inputsch"}}`
	kafkaStream  = `{"Transport": {"Type": "kafka", "BootstrapServers": ["kafka:9092"], "Topic": "scores"}, "Encoding": "json"}`
)

// completeEnv and completeFiles are one bake without problems; the tests
// change their own copy of it.
func completeEnv() map[string]string {
	return map[string]string{
		"MODEL":          "/assets/model.py3",
		"SCHEMAS":        "outputsch:/assets/output.avsc;inputsch:/assets/input.avsc",
		"STREAMS":        "1:/assets/kafka.json;0:/assets/rest.json",
		"CONNECT_PREFIX": "https://connect:8001",
	}
}

func completeFiles() fstest.MapFS {
	return fstest.MapFS{
		"assets/model.py3":   text(modelSource),
		"assets/input.avsc":  text(inputSchema),
		"assets/output.avsc": text(outputSchema),
		"assets/rest.json":   text(restStream),
		"assets/kafka.json":  text(kafkaStream),
	}
}

func text(content string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(content), Mode: 0o644}
}

func inspectMap(env map[string]string, fsys fs.FS) *Report {
	return Inspect(func(name string) string { return env[name] }, fsys)
}

// plainFile is what a report says of a file that text made.
func plainFile(path, content string) File {
	sum := sha256.Sum256([]byte(content))
	return File{
		GID: -1, Mode: "0644", Path: path, Readable: true,
		SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), UID: -1,
	}
}

func TestInspectComplete(t *testing.T) {
	want := &Report{
		Attachments:   []Attachment{},
		ConnectPrefix: "https://connect:8001",
		Model: &Model{
			File:    plainFile("/assets/model.py3", modelSource),
			Runner:  "python3",
			Schemas: map[string]string{"0": "inputsch", "1": "outputsch"},
			Slots:   []string{"0", "1"},
		},
		Problems: []string{},
		Schemas: []Schema{
			{File: plainFile("/assets/input.avsc", inputSchema), FullName: "bank.Input", Name: "inputsch", Type: "record"},
			{File: plainFile("/assets/output.avsc", outputSchema), Name: "outputsch", Type: "double"},
		},
		Streams: []Stream{
			{
				Encoding: "json", File: plainFile("/assets/rest.json", restStream),
				Schema: `{"$ref":"inputsch"}`, Slot: 0, Transport: "REST",
			},
			{Encoding: "json", File: plainFile("/assets/kafka.json", kafkaStream), Slot: 1, Transport: "Kafka"},
		},
	}
	got := inspectMap(completeEnv(), completeFiles())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

// The keys of the report are sorted: a decoded map, which encoding/json sorts,
// encodes to the same bytes.
func TestReportIsSorted(t *testing.T) {
	env, files := completeEnv(), completeFiles()
	env["ATTACHMENTS"] = "/assets/a.zip"
	files["assets/a.zip"] = text(zipArchive(t, "a"))
	got, err := json.MarshalIndent(inspectMap(env, files), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(got, &decoded); err != nil {
		t.Fatal(err)
	}
	want, err := json.MarshalIndent(decoded, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("report (-sorted +got):\n%s", diff)
	}
}

func TestMissingFileInReport(t *testing.T) {
	files := completeFiles()
	delete(files, "assets/kafka.json")
	want := Stream{File: File{GID: -1, Path: "/assets/kafka.json", UID: -1}, Slot: 1}
	if diff := cmp.Diff(want, inspectMap(completeEnv(), files).Streams[1]); diff != "" {
		t.Errorf("stream (-want +got):\n%s", diff)
	}
}
