// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// zeros is an endless file.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func endless(name string, size int64) layer.Entry {
	return file(name, size, func() io.Reader { return zeros{} })
}

func uncompressed(t *testing.T, entries ...layer.Entry) []byte {
	t.Helper()
	l := newLayer(t, sequence(entries...), layer.Options{Algorithm: "none"})
	return readAll(t, l.Uncompressed)
}

func TestHeaders(t *testing.T) {
	long := strings.Repeat("n", 101)
	split := strings.Repeat("d", 90) + "/" + strings.Repeat("f", 90)
	tests := []struct {
		name   string
		entry  layer.Entry
		format tar.Format
		want   tar.Header
	}{
		{
			"file", fileOf("a/f", nil), tar.FormatUSTAR,
			tar.Header{Typeflag: tar.TypeReg, Name: "a/f", Mode: 0o644},
		},
		{
			"directory", layer.DirEntry("a"), tar.FormatUSTAR,
			tar.Header{Typeflag: tar.TypeDir, Name: "a/", Mode: 0o755},
		},
		{
			"symbolic link",
			layer.Entry{Name: "s", Type: tar.TypeSymlink, Mode: 0o777, Linkname: "../x"},
			tar.FormatUSTAR,
			tar.Header{Typeflag: tar.TypeSymlink, Name: "s", Mode: 0o777, Linkname: "../x"},
		},
		{
			"hard link",
			layer.Entry{Name: "h", Type: tar.TypeLink, Mode: 0o644, Linkname: "a/f"},
			tar.FormatUSTAR,
			tar.Header{Typeflag: tar.TypeLink, Name: "h", Mode: 0o644, Linkname: "a/f"},
		},
		{
			"owner and special bits",
			layer.Entry{Name: "o", Type: tar.TypeDir, Mode: 0o750 | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky, UID: 1000, GID: 100},
			tar.FormatUSTAR,
			tar.Header{Typeflag: tar.TypeDir, Name: "o/", Mode: 0o7750, Uid: 1000, Gid: 100},
		},
		{
			"name that splits", fileOf(split, nil), tar.FormatUSTAR,
			tar.Header{Typeflag: tar.TypeReg, Name: split, Mode: 0o644},
		},
		{
			"long name", fileOf(long, nil), tar.FormatPAX,
			tar.Header{Typeflag: tar.TypeReg, Name: long, Mode: 0o644, PAXRecords: map[string]string{"path": long}},
		},
		{
			"name beyond ASCII", fileOf("ü", nil), tar.FormatPAX,
			tar.Header{Typeflag: tar.TypeReg, Name: "ü", Mode: 0o644, PAXRecords: map[string]string{"path": "ü"}},
		},
		{
			"large uid",
			layer.Entry{Name: "o", Type: tar.TypeDir, UID: 1 << 24},
			tar.FormatPAX,
			tar.Header{Typeflag: tar.TypeDir, Name: "o/", Uid: 1 << 24, PAXRecords: map[string]string{"uid": "16777216"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data := uncompressed(t, tt.entry)
			got, err := tar.NewReader(bytes.NewReader(data)).Next()
			if err != nil {
				t.Fatal(err)
			}
			if got.Format != tt.format {
				t.Errorf("format %v, want %v", got.Format, tt.format)
			}
			got.Format = 0
			tt.want.ModTime = time.Unix(0, 0)
			if diff := cmp.Diff(tt.want, *got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// USTAR ends at 8 GiB; beyond, archive/tar has a choice of two encodings.
func TestHugeFileHeader(t *testing.T) {
	for _, tt := range []struct {
		size int64
		want map[string]string
	}{
		{8<<30 - 1, nil},
		{8 << 30, map[string]string{"size": "8589934592"}},
	} {
		l := newLayer(t, sequence(endless("huge", tt.size)), layer.Options{Algorithm: "none"})
		r, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		head := make([]byte, 2048)
		if _, err := io.ReadFull(r, head); err != nil {
			t.Fatal(err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		h, err := tar.NewReader(bytes.NewReader(head)).Next()
		if err != nil {
			t.Fatal(err)
		}
		if h.Size != tt.size {
			t.Errorf("size %d, want %d", h.Size, tt.size)
		}
		if diff := cmp.Diff(tt.want, h.PAXRecords); diff != "" {
			t.Errorf("size %d: %s", tt.size, diff)
		}
		if h.Format == tar.FormatGNU {
			t.Errorf("size %d: GNU header", tt.size)
		}
	}
}

func TestBadEntries(t *testing.T) {
	link := func(typ byte, target string) layer.Entry {
		return layer.Entry{Name: "l", Type: typ, Linkname: target}
	}
	for _, tt := range []struct {
		name    string
		entries []layer.Entry
		want    string
	}{
		{"absolute", []layer.Entry{layer.DirEntry("/etc")}, `layer entry "/etc": name is not a clean relative path`},
		{"dot dot", []layer.Entry{layer.DirEntry("a/../b")}, "not a clean relative path"},
		{"trailing slash", []layer.Entry{layer.DirEntry("a/")}, "not a clean relative path"},
		{"double slash", []layer.Entry{layer.DirEntry("a//b")}, "not a clean relative path"},
		{"empty", []layer.Entry{layer.DirEntry("")}, "not a clean relative path"},
		{"root", []layer.Entry{layer.DirEntry(".")}, "not a clean relative path"},
		{"no UTF-8", []layer.Entry{layer.DirEntry("a\xff")}, "not a clean relative path"},
		{"zero byte", []layer.Entry{layer.DirEntry("a\x00b")}, `layer entry "a\x00b": `},
		{"twice", []layer.Entry{layer.DirEntry("a"), fileOf("a", nil)}, `layer entry "a": name occurs twice`},
		{"no target", []layer.Entry{link(tar.TypeSymlink, "")}, "link without a target"},
		{"target of a file", []layer.Entry{link(tar.TypeReg, "x")}, `target "x" of what is no link`},
		{"no content", []layer.Entry{{Name: "f", Type: tar.TypeReg}}, "file without content"},
		{"directory with a size", []layer.Entry{{Name: "d", Type: tar.TypeDir, Size: 1}}, "size 1 of what is no file"},
		{"device", []layer.Entry{{Name: "d", Type: tar.TypeChar}}, "none of file, directory and link"},
		{"negative size", []layer.Entry{file("f", -1, nil)}, "negative size"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := newLayer(t, sequence(tt.entries...), layer.Options{})
			err := l.Resolve(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestEntryErrors(t *testing.T) {
	broken := errors.New("disk on fire")
	reading := layer.Entry{Name: "r", Type: tar.TypeReg, Size: 5, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("abc"), failing{broken})), nil
	}}
	opening := layer.Entry{Name: "o", Type: tar.TypeReg, Size: 5, Open: func() (io.ReadCloser, error) {
		return nil, broken
	}}
	for _, tt := range []struct {
		name  string
		entry layer.Entry
		cause error
		want  string
	}{
		{"read", reading, broken, `layer entry "r": disk on fire`},
		{"open", opening, broken, `layer entry "o": disk on fire`},
		{"short", file("s", 4, func() io.Reader { return strings.NewReader("abc") }), layer.ErrChanged, `layer entry "s": 3 bytes instead of 4: source changed while it was read`},
		{"long", file("l", 2, func() io.Reader { return strings.NewReader("abc") }), layer.ErrChanged, `layer entry "l": more than 2 bytes: source changed while it was read`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, algorithm := range algorithms {
				l := newLayer(t, sequence(tt.entry), layer.Options{Algorithm: algorithm})
				err := l.Resolve(t.Context())
				if !errors.Is(err, tt.cause) || err.Error() != tt.want {
					t.Errorf("%s: got %v, want %s", algorithm, err, tt.want)
				}
				if l.Resolved() {
					t.Errorf("%s: resolved", algorithm)
				}
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
