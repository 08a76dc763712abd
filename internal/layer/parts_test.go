// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
)

// A part is a member of an archive under test.
type part struct {
	name string
	typ  byte // tar.TypeReg if zero
	mode int64
	body string // of a link, the target
}

func tarOf(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, p := range parts {
		h := &tar.Header{
			Name: p.name, Typeflag: p.typ, Mode: p.mode, Uid: 1000, Gid: 100, Uname: "u",
			ModTime: time.Unix(1e9, 0),
		}
		switch p.typ {
		case 0, tar.TypeReg:
			h.Typeflag, h.Size = tar.TypeReg, int64(len(p.body))
		case tar.TypeXGlobalHeader:
			*h = tar.Header{Typeflag: p.typ, Name: p.name, PAXRecords: map[string]string{"comment": p.body}}
		default:
			h.Linkname = p.body
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, p.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstdOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, parts ...part) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, p := range parts {
		h := &zip.FileHeader{Name: p.name, Method: zip.Deflate, Modified: time.Unix(1e9, 0)}
		mode := fs.FileMode(p.mode)
		switch p.typ {
		case tar.TypeDir:
			mode |= fs.ModeDir
			h.Method = zip.Store
		case tar.TypeSymlink:
			mode |= fs.ModeSymlink
		case tar.TypeFifo:
			mode |= fs.ModeNamedPipe
		case tar.TypeChar:
			mode |= fs.ModeDevice | fs.ModeCharDevice
		}
		h.SetMode(mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if p.typ != tar.TypeDir {
			if _, err := io.WriteString(f, p.body); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// archivesOf is the parts as an archive of each kind, by file name.
func archivesOf(t testing.TB, parts ...part) map[string][]byte {
	t.Helper()
	plain := tarOf(t, parts...)
	all := map[string][]byte{
		"a.tar": plain, "a.tar.gz": gzipOf(t, plain), "A.TGZ": gzipOf(t, plain), "a.tar.zst": zstdOf(t, plain),
	}
	for _, p := range parts {
		if p.typ == tar.TypeLink || p.typ == tar.TypeXGlobalHeader {
			return all // zip has neither
		}
	}
	all["a.zip"] = zipOf(t, parts...)
	return all
}
