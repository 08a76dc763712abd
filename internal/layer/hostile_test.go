// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"

	"github.com/crane-bake/crane-bake/internal/layer"
)

func TestHostileMembers(t *testing.T) {
	f := part{"f", 0, 0o644, "1"}
	for _, tt := range []struct {
		name  string
		parts []part
		want  string
	}{
		{"absolute", []part{{"/etc/passwd", 0, 0o644, ""}}, `member "/etc/passwd": name is absolute`},
		{"dot dot", []part{{"../f", 0, 0o644, ""}}, `member "../f": name has ".." in it`},
		{"dot dot inside", []part{{"a/../f", 0, 0o644, ""}}, `name has ".." in it`},
		{"whiteout", []part{{"a/.wh.f", 0, 0o644, ""}}, `member "a/.wh.f": a name in .wh.* would delete`},
		{"opaque whiteout", []part{{"a/.wh..wh..opq", 0, 0o644, ""}}, "would delete"},
		{"whiteout directory", []part{{".wh.d/", tar.TypeDir, 0o755, ""}}, "would delete"},
		{"fifo", []part{{"p", tar.TypeFifo, 0o644, ""}}, `member "p": is a named pipe`},
		{"device", []part{{"c", tar.TypeChar, 0o644, ""}}, `member "c": is a device`},
		{"twice", []part{f, f}, `member "f": occurs twice`},
		{"twice in other words", []part{f, {"./f", 0, 0o644, ""}}, `member "./f": occurs twice`},
		{"file and directory", []part{f, {"f/", tar.TypeDir, 0o755, ""}}, `member "f/": occurs twice`},
		{"directory and file", []part{{"d/f", 0, 0o644, ""}, {"d", 0, 0o644, ""}}, `member "d": occurs twice`},
		{"below a file", []part{f, {"f/g", 0, 0o644, ""}}, `member "f/g": lies in "f", which is no directory`},
		{
			"through a link",
			[]part{{"l", tar.TypeSymlink, 0o777, "d"}, {"l/g", 0, 0o644, ""}},
			`member "l/g": lies in "l", which is no directory`,
		},
		{"link out", []part{{"a/l", tar.TypeSymlink, 0o777, "../../x"}}, `member "a/l": symbolic link to "../../x", which leads out of the archive`},
		{"absolute link", []part{{"l", tar.TypeSymlink, 0o777, "/etc"}}, `symbolic link to "/etc", which leads out of the archive`},
		{
			"link out through a link",
			[]part{{"a/b/up", tar.TypeSymlink, 0o777, "../.."}, {"l", tar.TypeSymlink, 0o777, "a/b/up/../x"}},
			`member "l": symbolic link to "a/b/up/../x", which has ".." behind a name`,
		},
		{"hard link out", []part{{"l", tar.TypeLink, 0o644, "../f"}}, `member "l": hard link to "../f": name has ".." in it`},
		{"absolute hard link", []part{{"l", tar.TypeLink, 0o644, "/f"}}, `hard link to "/f": name is absolute`},
		{"hard link to nothing", []part{{"l", tar.TypeLink, 0o644, "f"}, f}, `hard link to "f", which is no earlier file`},
		{"hard link to a directory", []part{{"d/", tar.TypeDir, 0o755, ""}, {"l", tar.TypeLink, 0o644, "d"}}, "no earlier file"},
		{"no UTF-8", []part{{"a\xffb", 0, 0o644, ""}}, "name is no UTF-8 text"},
		{"root link", []part{{".", tar.TypeSymlink, 0o777, "x"}}, "but no directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for file, data := range archivesOf(t, tt.parts...) {
				_, _, err := list(fstest.MapFS{file: {Data: data}}, file, "x")
				if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), file) {
					t.Errorf("%s: got %v, want %q", file, err, tt.want)
				}
			}
		})
	}
}

// rawZip is an archive of one member of one byte, with a header of any kind.
func rawZip(t *testing.T, change func(h *zip.FileHeader)) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	h := &zip.FileHeader{Name: "f", CompressedSize64: 1, UncompressedSize64: 1}
	change(h)
	raw, err := w.CreateRaw(h)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := raw.Write([]byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileZip(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(h *zip.FileHeader)
		want   string
	}{
		{"backslash", func(h *zip.FileHeader) { h.Name = `a\b` }, `member "a\\b": name has a backslash in it`},
		{"encrypted", func(h *zip.FileHeader) { h.Flags |= 1 }, `member "f": is encrypted`},
		{"method", func(h *zip.FileHeader) { h.Method = 14 }, `member "f": compression method 14; want deflate or none`},
		{"zero byte", func(h *zip.FileHeader) { h.Name = "a\x00" }, "name is no UTF-8 text"},
		{"size", func(h *zip.FileHeader) { h.UncompressedSize64 = 1 << 63 }, "unpacks to more than 1099511627776 bytes"},
		{"target", func(h *zip.FileHeader) {
			h.SetMode(fs.ModeSymlink | 0o777)
			h.UncompressedSize64 = 5000
		}, "symbolic link with a target of 5000 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := list(fstest.MapFS{"a.zip": {Data: rawZip(t, tt.change)}}, "a.zip", "x")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestArchiveContent(t *testing.T) {
	parts := []part{{"f", 0, 0o644, string(noise(3000))}}
	good := archivesOf(t, parts...)
	damaged := func(data []byte) []byte {
		data = bytes.Clone(data)
		data[len(data)/2] ^= 0xff
		return data
	}
	for _, tt := range []struct {
		name, file string
		data       []byte
		want       string
	}{
		{"other kind", "a.zip", good["a.tar.gz"], "extension is .zip, but the content is gzip data"},
		{"other kind", "a.tar", good["a.zip"], "extension is .tar, but the content is a zip archive"},
		{"other kind", "a.tar.gz", good["a.tar"], "extension is .tar.gz, but the content is a tar archive"},
		{"other kind", "a.tgz", good["a.tar.zst"], "extension is .tgz, but the content is zstd data"},
		{"other kind", "a.tar.zst", []byte("BZh91AY&SY"), "extension is .tar.zst, but the content is bzip2 data"},
		{"text", "a.tar", []byte(strings.Repeat("text\n", 200)), "extension is .tar, but the content is no archive of a known kind"},
		{"text in gzip", "a.tar.gz", gzipOf(t, []byte("text")), "extension is .tar.gz, but what is compressed is no archive of a known kind"},
		{"zip in zstd", "a.tar.zst", zstdOf(t, good["a.zip"]), "what is compressed is a zip archive"},
		{"no archive name", "a.rar", nil, "extension is none of .zip, .tar, .tar.gz, .tgz and .tar.zst"},
		{"empty", "a.zip", nil, "the content is empty"},
		{"empty", "a.tar", nil, "the content is empty"},
		{"empty", "a.tar.gz", nil, "the content is empty"},
		{"truncated", "a.zip", good["a.zip"][:1000], "is truncated or damaged"},
		{"truncated", "a.tar", good["a.tar"][:1000], "is truncated"},
		{"truncated in a header", "a.tar", good["a.tar"][:300], "is truncated"},
		{"truncated behind a member", "a.tar", good["a.tar"][:512+3072], "is truncated"},
		{"truncated", "a.tar.gz", good["a.tar.gz"][:1000], "is truncated"},
		{"truncated in the checksum", "a.tar.gz", good["a.tar.gz"][:len(good["a.tar.gz"])-5], "is truncated"},
		{"truncated", "a.tar.zst", good["a.tar.zst"][:1000], "is truncated"},
		{"truncated tar in gzip", "a.tar.gz", gzipOf(t, good["a.tar"][:1000]), "is truncated"},
		{"damaged", "a.tar.gz", damaged(good["a.tar.gz"]), "gzip: invalid checksum"},
		{"two tars", "a.tar", append(bytes.Clone(good["a.tar"]), good["a.tar"]...), "has data behind the end of the tar"},
	} {
		t.Run(tt.file+" "+tt.name, func(t *testing.T) {
			_, _, err := list(fstest.MapFS{tt.file: {Data: tt.data}}, tt.file, "x")
			if err == nil || !strings.HasPrefix(err.Error(), `archive "`+tt.file+`": `) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// The directory of a zip can be right where a member is not.
func TestDamagedZipMember(t *testing.T) {
	data := zipOf(t, part{"f", 0, 0o644, string(noise(3000))})
	data[len(data)/2] ^= 0xff
	_, entries, err := list(fstest.MapFS{"a.zip": {Data: data}}, "a.zip", "x")
	if err != nil {
		t.Fatal(err)
	}
	err = newLayer(t, entries, layer.Options{}).Resolve(t.Context())
	if err == nil || !strings.Contains(err.Error(), `layer entry "x/f": zip: checksum error`) {
		t.Errorf("got %v", err)
	}
}

func TestLimits(t *testing.T) {
	three := []part{{"a", 0, 0o644, "111"}, {"b", 0, 0o644, "222"}, {"c", 0, 0o644, "333"}}
	for _, tt := range []struct {
		limits layer.Limits
		want   string
	}{
		{layer.Limits{Entries: 2}, "has more than 2 members"},
		{layer.Limits{Entries: 3}, ""},
		{layer.Limits{Bytes: 8}, "unpacks to more than 8 bytes"},
		{layer.Limits{Bytes: 1 << 20, Ratio: 1}, ""}, // too small for a ratio
	} {
		for file, data := range archivesOf(t, three...) {
			_, _, err := layer.Archive(t.Context(), fstest.MapFS{file: {Data: data}}, file, "x", layer.ArchiveOptions{Limits: tt.limits})
			if msg := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(msg, tt.want) {
				t.Errorf("%s, %+v: got %v, want %q", file, tt.limits, err, tt.want)
			}
		}
	}
}

func TestRatioLimit(t *testing.T) {
	const size = 65 << 20
	var packed, padded bytes.Buffer
	z, err := zstd.NewWriter(&packed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	err = w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "bomb", Size: size})
	_, cerr := io.CopyN(w, zeros{}, size)
	if err = errors.Join(err, cerr, w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	// A small tar, and after it more zeros than there may be.
	z.Reset(&padded)
	_, err = z.Write(tarOf(t))
	_, cerr = io.CopyN(z, zeros{}, size)
	if err = errors.Join(err, cerr, z.Close()); err != nil {
		t.Fatal(err)
	}
	lying := rawZip(t, func(h *zip.FileHeader) { h.UncompressedSize64 = size })
	for _, tt := range []struct {
		file  string
		data  []byte
		ratio int64
		want  string
	}{
		{"a.tar.zst", packed.Bytes(), 0, "unpacks to more than 1000 times its size"},
		{"a.tar.zst", packed.Bytes(), 1 << 20, ""},
		{"a.tar.zst", padded.Bytes(), 0, "unpacks to more than 1000 times its size"},
		{"a.zip", lying, 0, "unpacks to more than 1000 times its size"},
		{"a.zip", lying, 1 << 20, ""},
	} {
		fsys := fstest.MapFS{tt.file: {Data: tt.data}}
		_, _, err := layer.Archive(t.Context(), fsys, tt.file, "x", layer.ArchiveOptions{Limits: layer.Limits{Ratio: tt.ratio}})
		if msg := fmt.Sprint(err); tt.want == "" && err != nil || !strings.Contains(msg, tt.want) {
			t.Errorf("%s, ratio %d: got %v, want %q", tt.file, tt.ratio, err, tt.want)
		}
	}
}
