// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"regexp"
	"testing"

	"github.com/crane-bake/crane-bake/examples/scorer"
)

// TestBakefileExamples checks the examples of docs/bakefile.md, with the files
// of examples/scorer under the names that they use, as their readers will.
func TestBakefileExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/bakefile.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, from := range map[string]string{
		"model.py3": "model.py3", "scorer/model.py3": "model.py3", "ranker/model.py3": "model.py3",
		"input.avsc": "input.avsc", "scorer/input.avsc": "input.avsc", "ranker/input.avsc": "input.avsc",
		"output.avsc": "output.avsc", "scorer/output.avsc": "output.avsc", "ranker/output.avsc": "output.avsc",
		"rest.json": "rest.json", "streams/rest-in.json": "rest.json", "streams/rest-out.json": "rest.json",
		"kafka.json": "kafka.json", "kafka-prod.json": "kafka.json",
	} {
		content, err := scorer.Files.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		write(t, dir, name, string(content))
	}
	write(t, dir, "lookup/bands.csv", "0.30,high\n")
	write(t, dir, "help.txt", "Ask the risk team.\n")
	writeArchives(t, dir)

	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(page, -1)
	checked := 0
	for _, m := range blocks {
		if bytes.HasPrefix(m[1], []byte("copies:")) {
			continue // a part of a file
		}
		checked++
		file := write(t, dir, "bake.yaml", string(m[1]))
		runs := [][]string{{"-f", file}}
		if p := regexp.MustCompile(`profiles:\n  (\w+):`).FindSubmatch(m[1]); p != nil {
			runs = append(runs, []string{"-f", file, "--profile", string(p[1])})
		}
		for _, args := range runs {
			var out, errs bytes.Buffer
			env := &environment{stdout: &out, stderr: &errs, lookup: func(key string) (string, bool) { return "1", key == "VERSION" }}
			if code := run(t.Context(), env, append([]string{"check"}, args...)); code != exitDone {
				t.Errorf("check %q: exit code %d\n%s%s%s", args[2:], code, out.String(), errs.String(), m[1])
			}
		}
	}
	if checked < 3 {
		t.Errorf("%d examples, want a plain file, profiles and a fleet", checked)
	}
}

// writeArchives writes the archives of the first example.
func writeArchives(t *testing.T, dir string) {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	err := w.WriteHeader(&tar.Header{Name: "table.csv", Mode: 0o644, Size: 2})
	_, werr := w.Write([]byte("1\n"))
	if err := errors.Join(err, werr, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "tables.tar.gz", b.String())
	b.Reset()
	archive := zip.NewWriter(&b)
	_, err = archive.Create("weights.bin")
	if err := errors.Join(err, archive.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "weights.zip", b.String())
}
