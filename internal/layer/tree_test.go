// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// words is text of n bytes that compresses like a data file.
func words(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "{\"id\":%d,\"label\":\"l%d\",\"score\":%.5f}\n", r.IntN(1<<30), r.IntN(50), r.Float64())
	}
	return b.Bytes()[:n]
}

// noise is n bytes that don't compress.
func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{7}).Read(b)
	return b
}

// tree is a file system with something of everything.
func tree() fstest.MapFS {
	when := time.Date(2024, 2, 29, 12, 0, 0, 7, time.UTC)
	return fstest.MapFS{
		"model.py":                         {Data: []byte("def action(x):\n    yield x\n"), Mode: 0o640, ModTime: when},
		"bin/run.sh":                       {Data: []byte("#!/bin/sh\n"), Mode: 0o700, ModTime: when},
		"big.jsonl":                        {Data: words(1, 1_700_000), Mode: 0o644, ModTime: when},
		"noise.bin":                        {Data: noise(700_000), Mode: 0o600, ModTime: when},
		"nothing":                          {Mode: 0o644, ModTime: when},
		"empty/inner":                      {Mode: fs.ModeDir | 0o700, ModTime: when},
		"Zürich.txt":                       {Data: []byte("ü"), Mode: 0o644, ModTime: when},
		"long/" + strings.Repeat("n", 120): {Data: []byte("long"), Mode: 0o644, ModTime: when},
	}
}

func treeEntries(t testing.TB) layer.Entries {
	t.Helper()
	list, err := layer.Walk(tree(), ".", "assets")
	if err != nil {
		t.Fatal(err)
	}
	return sequence(list...)
}

func sequence(list ...layer.Entry) layer.Entries {
	return func(yield func(layer.Entry, error) bool) {
		for _, e := range list {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// file is an entry whose content is open's.
func file(name string, size int64, open func() io.Reader) layer.Entry {
	return layer.Entry{
		Name: name, Type: tar.TypeReg, Mode: 0o644, Size: size,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(open()), nil },
	}
}

func fileOf(name string, data []byte) layer.Entry {
	return file(name, int64(len(data)), func() io.Reader { return bytes.NewReader(data) })
}

func newLayer(t testing.TB, entries layer.Entries, opts layer.Options) *layer.Layer {
	t.Helper()
	l, err := layer.New(entries, opts)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func digestOf(t testing.TB, l *layer.Layer) string {
	t.Helper()
	h, err := l.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return h.Hex
}
