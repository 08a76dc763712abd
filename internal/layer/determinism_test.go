// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// chunked reads at most size bytes at a time.
type chunked struct {
	r    io.Reader
	size int
}

func (c chunked) Read(p []byte) (int, error) {
	return c.r.Read(p[:min(len(p), c.size)])
}

var levels = []layer.Options{
	{Algorithm: "gzip", Level: 1},
	{Algorithm: "gzip", Level: 2},
	{Algorithm: "gzip", Level: 3},
	{Algorithm: "gzip", Level: 5},
	{Algorithm: "gzip", Level: 6},
	{Algorithm: "gzip", Level: 9},
	{Algorithm: "zstd", Level: 1},
	{Algorithm: "zstd", Level: 3},
	{Algorithm: "zstd", Level: 7},
	{Algorithm: "zstd", Level: 19},
	{Algorithm: "none"},
}

// Neither the processors, nor the sizes in which content comes, nor what was
// packed before by the same encoders may show in a layer.
func TestDeterminism(t *testing.T) {
	data := append(words(4, 600_000), noise(100_000)...)
	data = append(data, bytes.Repeat([]byte("0123456789"), 2_000)...)
	before := words(40, 560_000)
	for _, opts := range levels {
		t.Run(fmt.Sprintf("%s:%d", opts.Algorithm, opts.Level), func(t *testing.T) {
			want := digestOf(t, newLayer(t, sequence(fileOf("f", data)), opts))
			for _, on := range []struct{ procs, size int }{{1, 97}, {2, 65537}, {8, 1 << 20}} {
				procs := runtime.GOMAXPROCS(on.procs)
				// Leaves something behind in the encoders.
				digestOf(t, newLayer(t, sequence(fileOf("g", before)), opts))
				got := digestOf(t, newLayer(t, sequence(file("f", int64(len(data)), func() io.Reader {
					return chunked{bytes.NewReader(data), on.size}
				})), opts))
				runtime.GOMAXPROCS(procs)
				if got != want {
					t.Errorf("%d processors, %d bytes at a time: digest %s, want %s", on.procs, on.size, got, want)
				}
			}
		})
	}
}

// The ends of chunks and blocks are where a parallel path could differ.
func TestBlockBoundaries(t *testing.T) {
	const block = 512 << 10
	for _, size := range []int{0, 1, 256<<10 - 1, 256 << 10, 256<<10 + 1, block - 1, block, block + 1, 2 * block, 3*block + 16384} {
		data := words(5, size)
		for _, opts := range []layer.Options{{}, {Level: 6}, {Algorithm: "zstd"}, {Algorithm: "none"}} {
			var sums [2]string
			for i, step := range []int{max(size, 1), 1000} {
				l, err := layer.FromTar(func() (io.ReadCloser, error) {
					return io.NopCloser(chunked{bytes.NewReader(data), step}), nil
				}, opts)
				if err != nil {
					t.Fatal(err)
				}
				sums[i] = digestOf(t, l)
			}
			if sums[0] != sums[1] {
				t.Errorf("%s:%d with %d bytes: digests %s and %s", opts.Algorithm, opts.Level, size, sums[0], sums[1])
			}
		}
	}
}

func TestModTime(t *testing.T) {
	at := time.Date(2025, 6, 1, 10, 30, 15, 0, time.UTC)
	digest := func(when time.Time) string {
		return digestOf(t, newLayer(t, treeEntries(t), layer.Options{Algorithm: "none", ModTime: when}))
	}
	want := digest(at)
	for name, when := range map[string]time.Time{
		"other zone":          at.In(time.FixedZone("far", 13*3600)),
		"fraction of seconds": at.Add(999 * time.Millisecond),
	} {
		if got := digest(when); got != want {
			t.Errorf("%s: digest %s, want %s", name, got, want)
		}
	}
	if got := digest(at.Add(time.Second)); got == want {
		t.Error("the modification time has no effect")
	}
	if zero, epoch := digest(time.Time{}), digest(time.Unix(0, 0)); zero != epoch {
		t.Errorf("zero time: digest %s, want the epoch's %s", zero, epoch)
	}
}

// The gzip header has neither a time nor a name nor the operating system
// (RFC 1952, section 2.3.1).
func TestGzipHeader(t *testing.T) {
	l := newLayer(t, sequence(fileOf("f", []byte("x"))), layer.Options{})
	got := readAll(t, l.Compressed)[:10]
	want := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255}
	if !bytes.Equal(got, want) {
		t.Errorf("header % x, want % x", got, want)
	}
}
