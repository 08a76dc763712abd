// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A member is one entry of a test archive.
type member struct {
	name, content, link string
	kind                byte // of tar; 0 is a regular file
}

func tgz(t testing.TB, members ...member) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Linkname: m.link, Typeflag: m.kind}
		if m.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, m.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zipped(t testing.TB, members ...member) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name}
		text := m.content
		if m.link != "" {
			h.SetMode(fs.ModeSymlink | 0o777)
			text = m.link
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// changed checks the default bake with some files, after change.
func changed(b bakery, change func(*engine.Image)) func() []engine.Finding {
	return func() []engine.Finding {
		img := b.over().image()
		change(&img)
		return engine.Check(img, engine.Options{})
	}
}

func fileOf(img *engine.Image, path string) *engine.File {
	for i := range img.Files {
		if img.Files[i].Path == path {
			return &img.Files[i]
		}
	}
	img.Files = append(img.Files, engine.File{Path: path, Baked: true})
	return &img.Files[len(img.Files)-1]
}

// codedCases are those that need bytes, modes or sizes that a text file of
// cases cannot have.
func codedCases(t *testing.T) []ruleCase {
	ok := member{name: "weights.bin", content: "x"}
	module := "# fastscore.schema.0: in\n# fastscore.schema.1: out\n# fastscore.module-attached: my_lib\ndef action(x):\n    yield x\n"
	long := strings.Repeat("a", 131072)
	return append([]ruleCase{
		{"ENV-09", "symlink_outside", "error STREAMS slot 0 -> /assets/0.json is a symbolic link that leaves the image", changed(nil, func(img *engine.Image) {
			f := fileOf(img, "/assets/0.json")
			f.Mode, f.Link = fs.ModeSymlink|0o777, "../../etc/passwd"
		}), true},
		{"ENV-09", "symlink_cycle", "error STREAMS slot 0 -> /assets/0.json is a symbolic link that leads nowhere", changed(nil, func(img *engine.Image) {
			f := fileOf(img, "/assets/0.json")
			f.Mode, f.Link = fs.ModeSymlink|0o777, "0.json"
		}), true},
		{"ENV-09", "device", "error STREAMS slot 0 -> /assets/0.json is no regular file", changed(nil, func(img *engine.Image) {
			fileOf(img, "/assets/0.json").Mode = fs.ModeDevice | 0o666
		}), true},
		{"ENV-09", "symlink", "none", changed(bakery{"env": "STREAMS=0:/assets/s/0.json;1:/assets/1.json\n"}, func(img *engine.Image) {
			f := fileOf(img, "/assets/s")
			f.Mode, f.Link = fs.ModeSymlink|0o777, "../srv/d"
			f = fileOf(img, "/srv/d")
			f.Mode, f.Link = fs.ModeSymlink|0o777, "/assets"
		}), true},
		{"ENV-10", "file", "error MODEL /assets/model.py3 has mode 0600: the engine user cannot read model.py3", changed(nil, func(img *engine.Image) {
			fileOf(img, "/assets/model.py3").Mode = 0o600
		}), true},
		{"ENV-10", "directory", "error SCHEMAS /assets has mode 0750: the engine user cannot read out.avsc", changed(nil, func(img *engine.Image) {
			fileOf(img, "/assets").Mode = fs.ModeDir | 0o750
		}), true},
		{"ENV-10", "good", "none", changed(nil, func(img *engine.Image) { fileOf(img, "/assets").Mode = fs.ModeDir | 0o755 }), true},
		{"ENV-13", "long", "error SCHEMAS SCHEMAS is 131", bakery{"env": "SCHEMAS=in:/assets/in.avsc;out:/assets/out.avsc;a:/" + long + "\n"}.check, false},
		{"ENV-13", "good", "none", bakery{}.check, true},
		{"ENV-17", "two_files", "error other/in.avsc /assets/in.avsc is baked from both in.avsc and other/in.avsc", changed(nil, func(img *engine.Image) {
			second := *fileOf(img, "/assets/in.avsc")
			second.Source = "other/in.avsc"
			img.Files = append(img.Files, second)
		}), true},
		{"ENV-17", "below_a_file", "error lookup /assets/in.avsc is a file (from in.avsc), but /assets/in.avsc/table.csv (from lookup) lies below it", changed(nil, func(img *engine.Image) {
			img.Files = append(img.Files, engine.File{Path: "/assets/in.avsc/table.csv", Mode: 0o644, Size: 1, Baked: true, Source: "lookup"})
		}), true},
		{"ENV-17", "directory_over_a_file", "error lookup /assets/in.avsc is baked from both in.avsc and lookup", changed(nil, func(img *engine.Image) {
			img.Files = append(img.Files, engine.File{Path: "/assets/in.avsc", Mode: fs.ModeDir | 0o755, Baked: true, Source: "lookup"})
		}), false},
		{"ENV-17", "one_file_in_two_parts", "none", changed(nil, func(img *engine.Image) {
			img.Files = append(img.Files, *fileOf(img, "/assets/in.avsc"))
		}), true},
		{"M-04", "nul", "error model.py3:2:1 contains a NUL byte", bakery{"model.py3": "x = 1\n\x00"}.check, true},
		{"M-04", "latin1", "error model.py3:1:6 not valid UTF-8", bakery{"model.py3": "x = '\xe9'"}.check, true},
		{"M-04", "unreadable", "error model.py3 cannot be read: denied", changed(nil, func(img *engine.Image) {
			fileOf(img, "/assets/model.py3").Open = func() (io.ReadCloser, error) { return nil, errors.New("denied") }
		}), true},
		{"S-01", "bom", "error in.avsc:1:1 starts with a byte order mark", bakery{"in.avsc": "\xef\xbb\xbf\"int\""}.check, true},
		{"S-01", "latin1", "error in.avsc:1:2 not valid UTF-8", bakery{"in.avsc": "\"\xe9\""}.check, true},
		{"SD-01", "deep", "error 0.json:1:1001 nested deeper than 1000 levels", bakery{"0.json": strings.Repeat("[", 100_000)}.check, true},
		{"SD-54", "strict", "error 0.json:1:60 the password in Url is readable", func() []engine.Finding {
			img := bakery{"0.json": `{"Encoding": "json", "Transport": {"Type": "HTTP", "Url":  "https://me:hunter2@h/"}}`}.over().image()
			return engine.Check(img, engine.Options{StrictSecrets: true})
		}, true},
		{"X-23", "crlf", "none", bakery{
			"in.csv": "x\r\n1\r\n",
			"0.json": `{"Encoding": "csv", "Transport": {"Type": "file", "Path": "/assets/in.csv"}, "Loop": false}`,
		}.check, true},
		{"X-00", "not_at_hand", "note 0.json the content is not at hand", changed(nil, func(img *engine.Image) { fileOf(img, "/assets/0.json").Open = nil }), true},
		{"X-00", "attachment_not_at_hand", "note a.zip the content is not at hand", changed(bakery{"a.zip": "x"}, func(img *engine.Image) {
			fileOf(img, "/assets/a.zip").Open = nil
		}), true},
		{"S-01", "the_model_bound_as_a_schema", "error model.py3:1:1 not JSON", bakery{"env": "SCHEMAS=in:/assets/model.py3;out:/assets/out.avsc\n"}.check, true},
		{"X-00", "too_large", "note 0.json larger than 64 MB", changed(nil, func(img *engine.Image) { fileOf(img, "/assets/0.json").Size = 65 << 20 }), true},
	}, attachmentCases(t, ok, module)...)
}

func attachmentCases(t *testing.T, ok member, module string) []ruleCase {
	large := changed(bakery{"a.zip": zipped(t, ok)}, func(img *engine.Image) { fileOf(img, "/assets/a.zip").Size = 48_000_000 })
	return []ruleCase{
		{"A-01", "tar", "error weights.tar attachments must be .zip, .tgz or .tar.gz", bakery{"weights.tar": "x"}.check, true},
		{"A-01", "good", "none", bakery{"a.tgz": tgz(t, ok), "b.tar.gz": tgz(t, member{name: "b"}), "c.zip": zipped(t, member{name: "c"})}.check, true},
		{"A-02", "zip_is_gzip", "error weights.zip the attachment is gzip data, not zip data", bakery{"weights.zip": tgz(t, ok)}.check, true},
		{"A-02", "gzip_is_zip", "error weights.tgz the attachment is zip data, not gzip data", bakery{"weights.tgz": zipped(t, ok)}.check, true},
		{"A-02", "text", "error weights.zip the attachment is no archive", bakery{"weights.zip": "just text"}.check, true},
		{"A-02", "tar", "error weights.tgz the attachment is no archive, not gzip data", bakery{"weights.tgz": "text"}.check, true},
		{"A-02", "truncated", "error weights.tgz the attachment is damaged or truncated", bakery{"weights.tgz": tgz(t, ok)[:60]}.check, true},
		{"A-02", "wrong_checksum", "error weights.tgz the attachment is damaged or truncated: gzip: invalid checksum", bakery{"weights.tgz": wrongChecksum(tgz(t, ok))}.check, true},
		{"A-02", "truncated_zip", "error weights.zip the attachment is damaged or truncated", bakery{"weights.zip": zipped(t, ok)[:60]}.check, true},
		{"A-02", "gzip_of_text", "error weights.tgz the attachment is gzip data without a tar inside", bakery{"weights.tgz": gzipped(t, strings.Repeat("text ", 300))}.check, true},
		{"A-02", "good", "none", bakery{"weights.zip": zipped(t, ok)}.check, true},
		{"A-02", "zip_in_a_stream", "none", changed(bakery{"weights.zip": zipped(t, ok)}, func(img *engine.Image) {
			f := fileOf(img, "/assets/weights.zip")
			text, err := f.Open()
			f.Open = func() (io.ReadCloser, error) { return io.NopCloser(io.MultiReader(text)), err }
		}), true},
		{"A-02", "unreadable", "error weights.zip the attachment cannot be read: denied", changed(bakery{"weights.zip": zipped(t, ok)}, func(img *engine.Image) {
			fileOf(img, "/assets/weights.zip").Open = func() (io.ReadCloser, error) { return nil, errors.New("denied") }
		}), true},
		{"A-03", "dots", `error weights.tgz member "../etc/passwd" escapes`, bakery{"weights.tgz": tgz(t, member{name: "../etc/passwd"})}.check, true},
		{"A-03", "inner_dots", `error weights.zip member "a/../../b" escapes`, bakery{"weights.zip": zipped(t, member{name: "a/../../b"})}.check, true},
		{"A-03", "backslash", `error weights.zip member "../b" escapes`, bakery{"weights.zip": zipped(t, member{name: `..\b`})}.check, true},
		{"A-03", "absolute", `error weights.tgz member "/etc/passwd" has an absolute name`, bakery{"weights.tgz": tgz(t, member{name: "/etc/passwd"})}.check, true},
		{"A-03", "device", `error weights.tgz member "d" is a device`, bakery{"weights.tgz": tgz(t, member{name: "d", kind: tar.TypeChar})}.check, true},
		{"A-03", "link", `error weights.tgz member "a/l" links to something outside`, bakery{"weights.tgz": tgz(t, member{name: "a/l", link: "../../x", kind: tar.TypeSymlink})}.check, true},
		{"A-03", "hard_link", `error weights.tgz member "a/l" links to something outside`, bakery{"weights.tgz": tgz(t, member{name: "a/l", link: "../x", kind: tar.TypeLink})}.check, true},
		{"A-03", "zip_link", `error weights.zip member "l" links to something outside`, bakery{"weights.zip": zipped(t, member{name: "l", link: "/etc"})}.check, true},
		{"A-03", "good", "none", bakery{"weights.tgz": tgz(t, member{name: "./a/", kind: tar.TypeDir}, member{name: "./a/b..c"}, member{name: "a/l", link: "../x", kind: tar.TypeSymlink}, member{name: "h", link: "a/b..c", kind: tar.TypeLink})}.check, true},
		{"A-04", "twice", `warning b.zip member "begin.m" is in a.tgz and b.zip`, bakery{"a.tgz": tgz(t, member{name: "./begin.m"}), "b.zip": zipped(t, member{name: "begin.m"})}.check, true},
		{"A-04", "model", `warning a.zip member "model.py3" has the name of the model file`, bakery{"a.zip": zipped(t, member{name: "model.py3"})}.check, true},
		{"A-04", "good", "none", bakery{"a.tgz": tgz(t, member{name: "d/", kind: tar.TypeDir}, member{name: "d/a"}), "b.tgz": tgz(t, member{name: "d/", kind: tar.TypeDir}, member{name: "d/b"})}.check, true},
		{"A-05", "large", "warning a.zip the attachment is 48 MB", large, false},
		{"A-05", "bomb", "warning a.tgz listing the attachment was given up", bakery{"a.tgz": bomb(t)}.check, true},
		{"A-05", "good", "none", bakery{"a.zip": zipped(t, ok)}.check, true},
		{"A-06", "used", "warning ATTACHMENTS the format of ATTACHMENTS is not documented", bakery{"a.zip": zipped(t, ok)}.check, true},
		{"A-06", "good", "none", bakery{}.check, true},
		{"A-07", "absent", `note model.py3 module "my_lib" must already be installed`, bakery{"model.py3": module}.check, true},
		{"A-07", "attached", "none", bakery{"model.py3": module, "a.tgz": tgz(t, member{name: "my_lib/__init__.py"})}.check, true},
		{"A-07", "baked", "none", bakery{"model.py3": module, "my_lib.py": "x"}.check, true},
		{"X-17", "attached", "none", bakery{"model.py3": module + "open('d/t.csv')\n", "a.tgz": tgz(t, member{name: "./d/t.csv"})}.check, true},
		{"X-17", "not_in_the_attachment", `warning model.py3:6:6 "d/t.csv" is relative`, bakery{"model.py3": module + "open('d/t.csv')\n", "a.zip": zipped(t, ok)}.check, true},
	}
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// bomb is some hundred kB that unpack to more than is looked at: a tar whose
// only member is 300 MiB of zeros, each MiB a gzip member of its own.
func bomb(t *testing.T) string {
	t.Helper()
	const size = 300 << 20
	var header bytes.Buffer
	if err := tar.NewWriter(&header).WriteHeader(&tar.Header{Name: "zeros", Mode: 0o644, Size: size}); err != nil {
		t.Fatal(err)
	}
	return gzipped(t, header.String()) + strings.Repeat(gzipped(t, strings.Repeat("\x00", 1<<20)), size>>20)
}

// wrongChecksum changes the last but one field of gzip data (RFC 1952, 2.3.1),
// which stands behind everything that a tar has.
func wrongChecksum(data string) string {
	changed := []byte(data)
	changed[len(changed)-8] ^= 1
	return string(changed)
}
