// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine_test

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// A bakery makes images of a few lines. A file's name says its part:
//
//	model.EXT    the model          N.json, N-….json  the stream of slot N
//	NAME.avsc    the schema NAME    *.zip, *.tgz …    an attachment
//	/abs/path    an asset           anything else     an asset below /assets
//
// and these are no files: env (KEY=VALUE lines that win; KEY alone removes),
// base (lines of "ref NAME", "listed", "file PATH", "dir PATH", "env KEY=VALUE") and drop
// (names of files of the default bake that are left out).
type bakery map[string]string

// plainBake has no findings.
var plainBake = bakery{
	"model.py3": "# fastscore.schema.0: in\n# fastscore.schema.1: out\n\ndef action(x):\n    yield x\n",
	"in.avsc":   `{"type": "record", "name": "In", "fields": [{"name": "x", "type": "double"}]}`,
	"out.avsc":  `"double"`,
	"0.json":    `{"Transport": "REST", "Encoding": "json"}`,
	"1.json":    `{"Transport": "REST", "Encoding": "json"}`,
}

// over is the default bake with some files replaced.
func (b bakery) over() bakery {
	all := maps.Clone(plainBake)
	for _, name := range strings.Fields(b["drop"]) {
		delete(all, name)
	}
	for name := range b {
		if strings.HasPrefix(name, "model.") {
			delete(all, "model.py3")
		}
		if n, ok := slotOf(name); ok {
			delete(all, strconv.Itoa(n)+".json")
		}
	}
	maps.Copy(all, b)
	delete(all, "drop")
	return all
}

func slotOf(name string) (int, bool) {
	stem, isJSON := strings.CutSuffix(name, ".json")
	stem, _, _ = strings.Cut(stem, "-")
	n, err := strconv.Atoi(stem)
	return n, isJSON && err == nil
}

func content(s string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) {
		return struct {
			*bytes.Reader
			io.Closer
		}{bytes.NewReader([]byte(s)), io.NopCloser(nil)}, nil
	}
}

func (b bakery) image() engine.Image {
	img := engine.Image{Base: "fastscore/engine:1.10", Dirs: []string{"/assets"}}
	bound := engine.Bindings{Schemas: map[string]string{}, Streams: map[int]string{}, ConnectPrefix: "https://connect:8001"}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		if name == "env" || name == "base" {
			continue
		}
		p := path.Join("/assets", name)
		source := name
		if strings.HasPrefix(name, "/") {
			p, source = name, ""
		}
		img.Files = append(img.Files, engine.File{
			Path: p, Mode: 0o644, Size: int64(len(b[name])), Baked: true, Source: source, Open: content(b[name]),
		})
		slot, isStream := slotOf(name)
		switch {
		case strings.HasPrefix(name, "model."):
			bound.Model = p
		case isStream:
			bound.Streams[slot] = p
		case strings.HasSuffix(name, ".avsc"):
			bound.Schemas[strings.TrimSuffix(name, ".avsc")] = p
		case slices.Contains([]string{".zip", ".tgz", ".gz", ".tar"}, path.Ext(name)):
			bound.Attachments = append(bound.Attachments, p)
		}
	}
	img.Env = bound.Env()
	for line := range strings.Lines(b["env"]) {
		line = strings.TrimSuffix(line, "\n")
		name, _, set := strings.Cut(line, "=")
		img.Env = slices.DeleteFunc(img.Env, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if set {
			img.Env = append(img.Env, line)
		}
	}
	for line := range strings.Lines(b["base"]) {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch word {
		case "ref":
			img.Base = rest
		case "listed":
			img.BaseListed = true
		case "file":
			img.Files = append(img.Files, engine.File{Path: rest, Mode: 0o644, Size: 1})
		case "dir":
			img.Files = append(img.Files, engine.File{Path: rest, Mode: fs.ModeDir | 0o755})
		case "env":
			img.BaseEnv = append(img.BaseEnv, rest)
		}
	}
	return img
}

func (b bakery) check() []engine.Finding { return engine.Check(b.over().image(), engine.Options{}) }

// show is a finding as the command writes it, with its hint.
func show(f engine.Finding) string {
	at := f.File
	if f.Line > 0 {
		at += fmt.Sprintf(":%d", f.Line)
	}
	if f.Column > 0 {
		at += fmt.Sprintf(":%d", f.Column)
	}
	if f.File == "" {
		at = f.Variable
	}
	return fmt.Sprintf("%s %s %s: %s [%s]", f.Severity, f.Rule, at, f.Message, f.Hint)
}

func showAll(found []engine.Finding) string {
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintln(&b, show(f))
	}
	return b.String()
}
