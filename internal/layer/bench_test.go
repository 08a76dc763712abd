// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"testing"
	"testing/fstest"
	"time"

	"github.com/crane-bake/crane-bake/internal/layer"
)

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// BenchmarkResolve reports how fast and how small a layer is compared to the
// standard library's gzip at BestSpeed, which does not even hash: "speed" is
// better when greater than 1, "size" when less.
func BenchmarkResolve(b *testing.B) {
	const size = 64 << 20
	for _, name := range []string{"jsonl", "noise"} {
		data := noise(size)
		if name == "jsonl" {
			data = words(8, size)
		}
		for _, opts := range []layer.Options{{Level: 1}, {Level: 2}, {Level: 6}, {Algorithm: "zstd"}, {Algorithm: "none"}} {
			b.Run(fmt.Sprintf("%s/%s:%d", name, opts.Algorithm, opts.Level), func(b *testing.B) {
				var peer, packed counter
				start := time.Now()
				w, err := gzip.NewWriterLevel(&peer, gzip.BestSpeed)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := w.Write(data); err != nil {
					b.Fatal(err)
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
				std := time.Since(start)
				b.SetBytes(size)
				b.ReportAllocs()
				for b.Loop() {
					l := newLayer(b, sequence(fileOf("f", data)), opts)
					n, err := l.Size()
					if err != nil {
						b.Fatal(err)
					}
					packed = counter(n)
				}
				b.ReportMetric(std.Seconds()*float64(b.N)/b.Elapsed().Seconds(), "speed")
				b.ReportMetric(float64(packed)/float64(peer), "size")
			})
		}
	}
}

// BenchmarkSmall is a layer of a few kB, of which a run may make thousands.
func BenchmarkSmall(b *testing.B) {
	data := words(9, 3000)
	for _, algorithm := range algorithms {
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				l := newLayer(b, sequence(fileOf("f", data)), layer.Options{Algorithm: algorithm})
				r, err := l.Open(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkArchive lists an archive and makes a layer of it.
func BenchmarkArchive(b *testing.B) {
	parts := []part{{"f", 0, 0o644, string(words(10, 8<<20))}}
	all := archivesOf(b, parts...)
	for _, file := range []string{"a.zip", "a.tar", "a.tar.gz", "a.tar.zst"} {
		b.Run(file, func(b *testing.B) {
			b.SetBytes(8 << 20)
			fsys := fstest.MapFS{file: {Data: all[file]}}
			for b.Loop() {
				_, entries, err := list(fsys, file, "x")
				if err != nil {
					b.Fatal(err)
				}
				if _, err := newLayer(b, entries, layer.Options{}).Digest(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
