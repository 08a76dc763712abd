// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"errors"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// deep is what a parser that recurses on every level has no stack for.
const deep = 100_000

func nested(open, middle, end string) string {
	return strings.Repeat(open, deep) + middle + strings.Repeat(end, deep)
}

func garbage() string {
	b := make([]byte, 100_000)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(b) // never fails
	return string(b)
}

// TestCheckHostileFiles puts files that were made to harm in place of the
// example's: each gets a finding, or does no harm, within a second.
func TestCheckHostileFiles(t *testing.T) {
	const long = 10 << 20
	for name, c := range map[string]struct {
		flag, file, content string // flag, with the slot or name where it has one
		code                int
		want                string // regular expression of a line; FILE is the file's place
	}{
		"garbage model":      {"--model", "m.py3", garbage(), 3, `^error M-04 FILE:2: the model contains a NUL byte`},
		"garbage PFA":        {"--model", "m.pfa", garbage(), 3, `^error M-04 FILE:2: `},
		"garbage YAML":       {"--model", "m.yaml", garbage(), 3, `^error M-04 FILE:2: `},
		"garbage notebook":   {"--model", "m.ipynb", garbage(), 3, `^error M-04 FILE:2: `},
		"garbage schema":     {"--schema=inputsch", "x.avsc", garbage(), 3, `^error S-01 FILE:1: not JSON: `},
		"garbage stream":     {"--stream=0", "x.json", garbage(), 3, `^error SD-01 FILE:1: not JSON: `},
		"garbage zip":        {"--attachment", "x.zip", garbage(), 3, `^error A-02 FILE: `},
		"garbage tgz":        {"--attachment", "x.tgz", garbage(), 3, `^error A-02 FILE: `},
		"long schema":        {"--schema=inputsch", "x.avsc", `{"doc": "` + strings.Repeat("x", long) + `", "type": "record"}`, 3, `^error S-04 FILE:1: `},
		"long broken schema": {"--schema=inputsch", "x.avsc", `[` + strings.Repeat(`"int", `, long/7) + `]`, 3, `^error S-01 FILE:1: not JSON: `},
		"long stream":        {"--stream=0", "x.json", `{"Transport": {"Type": "inline", "Data": "` + strings.Repeat("x", long) + `"}}`, 3, `^error X-09 FILE:1: `},
		"long wrong stream":  {"--stream=0", "x.json", `[` + strings.Repeat("[],", long/3) + `[]]`, 3, `^error SD-01 FILE(:1)?: larger than an engine can be expected to read`},
		"long model line":    {"--model", "m.py3", `x = "` + strings.Repeat("x", long) + "\"\n", 3, `^error M-05 FILE: slot 0 calls "action"`},
		"deep schema":        {"--schema=inputsch", "x.avsc", nested(`{"type": "array", "items": `, `"int"`, `}`), 3, `^error S-01 FILE:1: not JSON: nested deeper than 1000 levels$`},
		"deep open schema":   {"--schema=inputsch", "x.avsc", nested(`[`, ``, ``), 3, `^error S-01 FILE:1: not JSON: nested deeper`},
		"deep stream":        {"--stream=0", "x.json", nested(`{"Transport":`, `1`, `}`), 3, `^error SD-01 FILE:1: not JSON: nested deeper`},
		"deep PFA":           {"--model", "m.pfa", nested(`[`, ``, `]`), 3, `^error M-11 FILE:1: the model is not JSON: nested deeper`},
		"deep YAML":          {"--model", "m.yaml", nested(`[`, ``, `]`), 3, `^error M-11 FILE:1: the model is not YAML: `},
		"deep notebook":      {"--model", "m.ipynb", `{"cells": ` + nested(`[`, ``, `]`) + `}`, 0, `^warning M-16 FILE:1: the notebook is not JSON: nested deeper`},
		"deep PrettyPFA":     {"--model", "m.ppfa", "input: " + nested(`array(`, `int`, `)`) + "\noutput: int\naction: input\n", 0, `^0 errors, `},
		"deep Python":        {"--model", "m.py3", "def action(x): return " + nested(`(`, `x`, `)`), 0, `^0 errors, `},
		"YAML bomb":          {"--model", "m.yaml", aliases(), 3, `^error M-11 FILE:1: .*aliases`},
		"schema in itself":   {"--schema=inputsch", "x.avsc", `{"type": "record", "name": "A", "fields": [{"name": "a", "type": "A"}]}`, 0, `^0 errors, 0 warnings$`},
		"schema of nobody":   {"--schema=inputsch", "x.avsc", `{"type": "record", "name": "A", "fields": [{"name": "a", "type": "B"}]}`, 3, `^error S-03 FILE:1: type "B" is undefined$`},
		"schema refers":      {"--schema=inputsch", "x.avsc", `{"$ref": "inputsch"}`, 3, `^error S-03 FILE:1: `},
		"stream refers":      {"--stream=0", "x.json", `{"Transport": "REST", "Encoding": "json", "Schema": {"$ref": {"$ref": "inputsch"}}}`, 3, `^error SD-51 FILE:1: `},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args := writeExample(t, dir)
			file := write(t, dir, c.file, c.content)
			if before, _, found := strings.Cut(c.flag, "="); found {
				args = append(withoutPair(args, strings.TrimPrefix(c.flag, before+"=")+"="), c.flag+"="+file)
			} else {
				args = append(args, c.flag, file)
			}
			stdout, stderr, code := inTime(t, time.Second, args...)
			want := regexp.MustCompile("(?m)" + strings.ReplaceAll(c.want, "FILE", regexp.QuoteMeta(filepath.ToSlash(file))))
			if code != c.code || stderr != "" || !want.MatchString(stdout) {
				t.Errorf("exit code %d, want %d; want %s in:\n%.2000s%s", code, c.code, want, stdout, stderr)
			}
			if len(stdout) > 1<<16 {
				t.Errorf("%d bytes of findings", len(stdout))
			}
		})
	}
}

// withoutPair takes out the flag whose value begins with prefix, and its value:
// a file is bound once.
func withoutPair(args []string, prefix string) []string {
	var kept []string
	for i := 0; i < len(args); i += 2 {
		if !strings.HasPrefix(args[i+1], prefix) {
			kept = append(kept, args[i], args[i+1])
		}
	}
	return kept
}

// aliases is a YAML document that is a few hundred bytes, and 10^10 values once
// its aliases are followed.
func aliases() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 9 {
		n, before := string(rune('1'+i)), string(rune('0'+i))
		b.WriteString("a" + n + ": &a" + n + " [" + strings.Repeat("*a"+before+", ", 9) + "*a" + before + "]\n")
	}
	return b.String() + "input: *a9\noutput: *a9\naction: *a9\n"
}

// chunk is how many zeros stand for themselves in a bomb; the rest is copies.
const chunk = 16 << 20

// zipBomb and tarBomb are archives of a few MB whose one member has 1 GiB.
func zipBomb(t *testing.T) string {
	var zeros, bomb bytes.Buffer
	f, err := flate.NewWriter(&zeros, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Write(make([]byte, chunk))
	// Flushed, it ends on a byte: it can be followed by itself.
	if err = errors.Join(err, f.Flush()); err != nil {
		t.Fatal(err)
	}
	data := append(bytes.Repeat(zeros.Bytes(), 64), 1, 0, 0, 0xff, 0xff) // an empty last block
	z := zip.NewWriter(&bomb)
	w, err := z.CreateRaw(&zip.FileHeader{
		Name: "big", Method: zip.Deflate,
		CompressedSize64: uint64(len(data)), UncompressedSize64: 64 * chunk, CRC32: 0x5b64c2b0,
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err = errors.Join(err, z.Close()); err != nil {
		t.Fatal(err)
	}
	return bomb.String()
}

func tarBomb(t *testing.T) string {
	var header, bomb bytes.Buffer
	if err := tar.NewWriter(&header).WriteHeader(&tar.Header{Name: "big", Mode: 0o644, Size: 64 * chunk}); err != nil {
		t.Fatal(err)
	}
	// Members of gzip that follow each other are one stream (RFC 1952, 2.2).
	member := func(content []byte) []byte {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(content)
		if err = errors.Join(err, z.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	bomb.Write(member(header.Bytes()))
	bomb.Write(bytes.Repeat(member(make([]byte, chunk)), 64))
	bomb.Write(member(make([]byte, 1024)))
	return bomb.String()
}

func TestCheckArchiveBombs(t *testing.T) {
	for name, bomb := range map[string]func(*testing.T) string{"x.zip": zipBomb, "x.tar.gz": tarBomb} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			args := writeExample(t, dir)
			file := write(t, dir, name, bomb(t))
			stdout, stderr, code := inTime(t, time.Second, append(args, "--attachment", file)...)
			if code != exitDone || stderr != "" || !strings.Contains(stdout, "\n0 errors, ") {
				t.Errorf("attached: exit code %d:\n%s%s", code, stdout, stderr)
			}
			stdout, stderr, code = inTime(t, time.Second, append(args, "--unpack", file)...)
			if code != exitFailed || stdout != "" || !strings.HasSuffix(stderr, "unpacks to more than 1000 times its size\n") {
				t.Errorf("unpacked: exit code %d:\n%s%s", code, stdout, stderr)
			}
		})
	}
}
