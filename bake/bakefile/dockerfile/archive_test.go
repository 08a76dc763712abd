// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

// bzip2Tar is a tar of an empty file f, compressed with bzip2, which the
// standard library cannot write.
func bzip2Tar(t *testing.T) []byte {
	t.Helper()
	data, err := base64.StdEncoding.DecodeString("QlpoOTFBWSZTWeF5r54AAHf7kMmAAEBgAGcAAADhAJ5ABAAACCAAVDKNTEPQaRp6mEUiNAaGgHR9" +
		"bO+aIe0EUrF0oK96Y0QSBgKyRLTvAFLw5DLlJls2GhqqvwHf9SSBsXckU4UJDhea+eA=")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func zstandard(t *testing.T, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func TestAdd(t *testing.T) {
	var zipped bytes.Buffer
	z := zip.NewWriter(&zipped)
	if _, err := z.Create("f"); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	content := map[string][]byte{
		"plain":     tarball("f"),
		"gzip":      gzipped(tarball("f")),
		"zstd":      zstandard(t, tarball("f")),
		"text.tar":  []byte("no archive"),
		"empty.tar": tarball(),
		"text.gz":   gzipped([]byte("no archive")),
		"text.zst":  zstandard(t, []byte("no archive")),
		"cut.gz":    gzipped(tarball("f"))[:5],
		"cut.bz2":   bzip2Tar(t)[:20],
		"a.zip":     zipped.Bytes(),
		"nothing":   nil,
	}
	fsys := fstest.MapFS{}
	for name, data := range content {
		fsys["d/"+name] = &fstest.MapFile{Data: data}
	}
	fsys["link"] = &fstest.MapFile{Data: []byte("d/plain"), Mode: fs.ModeSymlink}
	for _, c := range []struct{ text, want string }{
		{"ADD d/plain /x", "d/plain -> /x unpacked"},
		{"ADD d/gzip /x/", "d/gzip -> /x unpacked"},
		{"ADD d/zstd /x/y", "d/zstd -> /x/y unpacked"},
		{"ADD link /x", "d/plain -> /x unpacked"},
		{"ADD d/pla* /x", "d/plain -> /x unpacked"},
		{"ADD --chmod=600 --chown=1:2 d/plain /x", "d/plain -> /x unpacked 1:2"},
		{"ADD --unpack=false d/plain /x", "d/plain -> /x"},
		{"ADD --unpack d/plain /x", "d/plain -> /x unpacked"},
		{"COPY d/plain /x", "d/plain -> /x"},
		{"ADD d/text.tar /x/", "d/text.tar -> /x/text.tar"},
		{"ADD d/empty.tar /x/", "d/empty.tar -> /x/empty.tar"},
		{"ADD d/text.gz /x/", "d/text.gz -> /x/text.gz"},
		{"ADD d/text.zst /x/", "d/text.zst -> /x/text.zst"},
		{"ADD d/cut.gz /x/", "d/cut.gz -> /x/cut.gz"},
		{"ADD d/cut.bz2 /x/", "d/cut.bz2 -> /x/cut.bz2"},
		{"ADD d/a.zip /x/", "d/a.zip -> /x/a.zip"},
		{"ADD d/nothing /x/", "d/nothing -> /x/nothing"},
		{"ADD d /x", "d -> /x"},
	} {
		got := evaluate(t, "FROM a\n"+c.text, dockerfile.Options{Context: fsys})
		if diff := cmp.Diff([]string{c.want}, copies(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.text, diff)
		}
	}
	got := evaluate(t, "FROM a\nADD d/plain /x\nCOPY link /x", dockerfile.Options{Context: fsys})
	if diff := cmp.Diff([]string{"d/plain -> /x unpacked", "d/plain -> /x/link"}, copies(got)); diff != "" {
		t.Errorf("after an archive (-want +got):\n%s", diff)
	}
}
