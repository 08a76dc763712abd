// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
)

// The algorithms of Options.
const (
	gzip      = "gzip"
	zstandard = "zstd"
	none      = "none"
)

// These settings decide the bytes of every layer: a change changes digests.
const (
	// On two cores, level 1 compresses text about three times as fast as the
	// standard library's level 1, to 2–9 % less.
	gzipLevel     = 1
	gzipBlockSize = 512 << 10
	zstdLevel     = 3
	// An encoder keeps a window and its tables in memory: 7 to 11 MiB up to
	// level 9, 40 MiB from level 10 on.
	zstdWindow = 4 << 20
)

// gzipBlocks is how many blocks are compressed at a time. It bounds the memory
// of a pass, about 2 MiB a block, and has no part in the output.
const gzipBlocks = 4

// A codec is a compression algorithm at one level.
type codec struct {
	algorithm string
	level     int
}

func newCodec(algorithm string, level int) (codec, error) {
	switch algorithm {
	case "", gzip:
		if level == 0 {
			level = gzipLevel
		}
		if level < 1 || level > 9 {
			return codec{}, fmt.Errorf("gzip level %d: want 1 to 9", level)
		}
		return codec{gzip, level}, nil
	case zstandard:
		if level == 0 {
			level = zstdLevel
		}
		if level < 1 || level > 22 {
			return codec{}, fmt.Errorf("zstd level %d: want 1 to 22", level)
		}
		return codec{zstandard, level}, nil
	case none:
		if level != 0 {
			return codec{}, fmt.Errorf("level %d: algorithm none has no levels", level)
		}
		return codec{none, 0}, nil
	}
	return codec{}, fmt.Errorf("compression algorithm %q: want gzip, zstd or none", algorithm)
}

func (c codec) mediaType() types.MediaType {
	switch c.algorithm {
	case gzip:
		return types.OCILayer
	case zstandard:
		return types.OCILayerZStd
	}
	return types.OCIUncompressedLayer
}

// An encoder compresses one stream. After Close, or instead of it, release
// ends its goroutines and makes it available to other streams.
type encoder interface {
	io.WriteCloser
	release()
}

// Encoders are large compared to most layers, so they are reused.
var (
	gzipPools [10]sync.Pool                            // by level
	zstdPools [zstd.SpeedBestCompression + 1]sync.Pool // by zstd.EncoderLevel
)

// encoder returns an encoder that writes to w; the algorithm must not be none.
func (c codec) encoder(w io.Writer) encoder {
	if c.algorithm == gzip {
		return newGzipEncoder(w, c.level)
	}
	return newZstdEncoder(w, zstd.EncoderLevelFromZstd(c.level))
}

type gzipEncoder struct {
	*pgzip.Writer
	level int
}

func newGzipEncoder(w io.Writer, level int) gzipEncoder {
	z, ok := gzipPools[level].Get().(*pgzip.Writer)
	if !ok {
		z = must(pgzip.NewWriterLevel(w, level))
	}
	z.Reset(w) // sets the concurrency to GOMAXPROCS
	if err := z.SetConcurrency(gzipBlockSize, gzipBlocks); err != nil {
		panic(err)
	}
	// The zero time has a negative number of seconds, which pgzip would write.
	z.ModTime = time.Unix(0, 0)
	return gzipEncoder{z, level}
}

func (e gzipEncoder) release() {
	// Close leaves a goroutine behind where a write failed; Reset does not.
	e.Reset(io.Discard)
	gzipPools[e.level].Put(e.Writer)
}

type zstdEncoder struct {
	*zstd.Encoder
	level zstd.EncoderLevel
}

func newZstdEncoder(w io.Writer, level zstd.EncoderLevel) zstdEncoder {
	z, ok := zstdPools[level].Get().(*zstd.Encoder)
	if !ok {
		z = must(zstd.NewWriter(nil,
			zstd.WithEncoderLevel(level),
			zstd.WithEncoderConcurrency(2),
			zstd.WithWindowSize(zstdWindow),
			zstd.WithLowerEncoderMem(true),
			zstd.WithEncoderCRC(true)))
	}
	z.Reset(w)
	return zstdEncoder{z, level}
}

func (e zstdEncoder) release() {
	e.Reset(nil)
	zstdPools[e.level].Put(e.Encoder)
}

// must is for constructors that fail on bad options only.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
