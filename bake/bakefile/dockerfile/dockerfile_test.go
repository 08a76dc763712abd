// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

// files is a context of files with their names as content.
func files(names ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, name := range names {
		fsys[name] = &fstest.MapFile{Data: []byte(name), Mode: 0o644}
	}
	return fsys
}

func scorer() fstest.MapFS {
	fsys := files("model.py3", "model.py", "input.avsc", "output.avsc", "rest.json", "kafka.json")
	fsys["weights.tar.gz"] = &fstest.MapFile{Data: gzipped(tarball("weights.bin")), Mode: 0o644}
	return fsys
}

func tarball(names ...string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644}); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// evaluate is the Spec of a Dockerfile without problems.
func evaluate(t *testing.T, text string, opts dockerfile.Options) bake.Spec {
	t.Helper()
	spec, _ := evaluateBase(t, text, opts)
	return spec
}

func evaluateBase(t *testing.T, text string, opts dockerfile.Options) (spec bake.Spec, needsBase bool) {
	t.Helper()
	f, err := dockerfile.Parse([]byte(text), "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	spec, needsBase, err = f.Spec(opts)
	if err != nil {
		t.Fatal(err)
	}
	return spec, needsBase
}

// copies describes each copy: path -> destination, and what is special.
func copies(spec bake.Spec) []string {
	var lines []string
	for _, c := range spec.Copies {
		line := c.Path + " -> " + c.Dest
		if c.Unpack {
			line += " unpacked"
		}
		if c.Owner != nil {
			line += fmt.Sprintf(" %d:%d", c.Owner.UID, c.Owner.GID)
		}
		if c.Mode != nil {
			line += " " + c.Mode.String()
		}
		lines = append(lines, line)
	}
	return lines
}

// problems are those of a file, as line: message (hint).
func problems(t *testing.T, text string, opts dockerfile.Options) []string {
	t.Helper()
	f, err := dockerfile.Parse([]byte(text), "Dockerfile")
	if err == nil {
		_, _, err = f.Spec(opts)
	}
	if err == nil {
		return nil
	}
	var e *bakefile.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %#v, want a *bakefile.Error", err)
	}
	if err.Error() != e.Error() {
		t.Errorf("error says %q, want %q", err, e)
	}
	var lines []string
	for _, p := range e.Problems {
		line := fmt.Sprintf("%d: %s", p.Line, p.Message)
		if p.Hint != "" {
			line += " (" + p.Hint + ")"
		}
		lines = append(lines, line)
	}
	return lines
}

// published has the form of the Standalone Baked Engines page: blank lines of
// one space, and ENV without "=".
const published = "FROM fastscore/engine:latest\n \n" +
	"COPY model.py input.avsc output.avsc rest.json /assets/\n \n" +
	"ENV MODEL /assets/model.py\n" +
	"ENV SCHEMAS inputsch:/assets/input.avsc;outputsch:/assets/output.avsc\n" +
	"ENV STREAMS 0:/assets/rest.json;1:/assets/kafka.json\n"

func TestPublished(t *testing.T) {
	fsys := scorer()
	got, needsBase := evaluateBase(t, published, dockerfile.Options{Context: fsys})
	instruction := "COPY model.py input.avsc output.avsc rest.json /assets/"
	want := bake.Spec{
		Base: "fastscore/engine:latest",
		Copies: []bake.Copy{
			{Path: "model.py", Dest: "/assets/model.py", Instruction: instruction},
			{Path: "input.avsc", Dest: "/assets/input.avsc", Instruction: instruction},
			{Path: "output.avsc", Dest: "/assets/output.avsc", Instruction: instruction},
			{Path: "rest.json", Dest: "/assets/rest.json", Instruction: instruction},
		},
		Env: map[string]string{
			"MODEL":   "/assets/model.py",
			"SCHEMAS": "inputsch:/assets/input.avsc;outputsch:/assets/output.avsc",
			"STREAMS": "0:/assets/rest.json;1:/assets/kafka.json",
		},
		Labels: map[string]string{},
	}
	if got.FS == nil {
		t.Error("FS is nil, want the context")
	}
	got.FS = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if needsBase {
		t.Error("needs the base, though nothing depends on it")
	}
}

// TestBaked has the shape of published bakes: they change directories, copy
// over a directory that is there, unpack, and go back to the engine's home.
func TestBaked(t *testing.T) {
	fsys := scorer()
	got := evaluate(t, `FROM fastscore/engine:dev

WORKDIR /assets/
COPY model.py3 input.avsc rest.json /assets 

ENV MODEL /assets/model.py3


WORKDIR /fastscore

ADD ./weights.tar.gz /fastscore/artifacts/
`, dockerfile.Options{Context: fsys})
	want := []string{
		" -> /assets",
		"model.py3 -> /assets/model.py3",
		"input.avsc -> /assets/input.avsc",
		"rest.json -> /assets/rest.json",
		"weights.tar.gz -> /fastscore/artifacts unpacked",
	}
	if diff := cmp.Diff(want, copies(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Settings.WorkingDir != "/fastscore" {
		t.Errorf("working directory is %q", got.Settings.WorkingDir)
	}
}

func TestExample(t *testing.T) {
	const dir = "../../../examples/scorer"
	data, err := os.ReadFile(dir + "/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	got := evaluate(t, string(data), dockerfile.Options{
		Context:   root.FS(),
		BuildArgs: map[string]string{"BASE": "registry.example.com/engine:2"},
	})
	want := []string{
		"model.py3 -> /assets/model.py3",
		"input.avsc -> /assets/input.avsc",
		"output.avsc -> /assets/output.avsc",
		"rest.json -> /assets/rest.json",
		"kafka.json -> /assets/kafka.json",
	}
	if diff := cmp.Diff(want, copies(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Base != "registry.example.com/engine:2" || got.Env["MODEL"] != "/assets/model.py3" {
		t.Errorf("base %q, MODEL %q", got.Base, got.Env["MODEL"])
	}
}

// TestTwice wants evaluations to leave the file as it was, for each other too.
func TestTwice(t *testing.T) {
	f, err := dockerfile.Parse([]byte("FROM a\nARG X\nEXPOSE 2 1\nENV Y=$X\nCOPY <<A $X/\n$X\nA\n"), "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, value := range []string{"/one", "/two", "/three"} {
		wg.Go(func() {
			spec, _, err := f.Spec(dockerfile.Options{BuildArgs: map[string]string{"X": value}})
			if got := strings.Join(copies(spec), ""); err != nil || got != "A -> "+value+"/A" || spec.Env["Y"] != value {
				t.Errorf("with %s: copies %q, Y=%q, %v", value, got, spec.Env["Y"], err)
			}
		})
	}
	wg.Wait()
}
