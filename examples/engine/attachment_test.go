// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func TestAttachments(t *testing.T) {
	zipped, tarred := zipArchive(t, "a", "b", "c"), tarGzipArchive(t, "a", "b")
	corrupt := strings.Replace(zipped, "content of b", "content of x", 1)
	tests := []struct {
		name    string
		file    string
		content string
		members int
		want    string // the one problem, after the path
	}{
		{name: "zip", file: "a.zip", content: zipped, members: 3},
		{name: "tar.gz", file: "a.tar.gz", content: tarred, members: 2},
		{name: "tgz", file: "a.tgz", content: tarred, members: 2},
		{name: "plain tar", file: "a.tar", content: tarred, want: "not a .zip, .tar.gz or .tgz archive"},
		{name: "gzip named zip", file: "a.zip", content: tarred, want: "reading zip: zip: not a valid zip file"},
		{name: "zip named tgz", file: "a.tgz", content: zipped, want: "reading gzip: gzip: invalid header"},
		{name: "corrupt zip", file: "a.zip", content: corrupt, want: `reading zip member "b": zip: checksum error`},
		{name: "tgz cut in its trailer", file: "a.tgz", content: tarred[:len(tarred)-4], want: "reading gzip: unexpected EOF"},
		{name: "tgz cut in the middle", file: "a.tgz", content: tarred[:len(tarred)/2], want: "reading tar: unexpected EOF"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := &inspection{fsys: fstest.MapFS{test.file: text(test.content)}}
			got := in.attachments("/" + test.file)
			want := []Attachment{{File: plainFile("/"+test.file, test.content), Members: test.members}}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("attachments (-want +got):\n%s", diff)
			}
			var problems []string
			if test.want != "" {
				problems = append(problems, "ATTACHMENTS: /"+test.file+": "+test.want)
			}
			if diff := cmp.Diff(problems, in.problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// zipArchive stores its members, so that a test can find their bytes.
func zipArchive(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("content of " + name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func tarGzipArchive(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, name := range members {
		content := []byte("content of " + name)
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
