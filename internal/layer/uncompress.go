// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"bufio"
	"io"

	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// unzstdWindow is the largest window that the zstd command reads without being
// asked to.
const unzstdWindow = 128 << 20

// A tarStream is the uncompressed content of a tar archive, which it counts
// and bounds.
type tarStream struct {
	r     io.Reader
	close func()
	s     *sieve
	n     int64
}

// uncompress checks that f's content is of the kind and returns the tar in it.
func uncompress(f io.Reader, kind string, s *sieve) (*tarStream, error) {
	t := &tarStream{close: func() {}, s: s}
	buf := bufio.NewReaderSize(f, 64<<10)
	head, err := peek(buf)
	if err != nil {
		return nil, err
	}
	switch kind {
	case ".tar":
		t.r = buf
		return t, wantTar(head, kind)
	case ".tar.zst":
		if err := want(head, kind, zstdContent); err != nil {
			return nil, err
		}
		z, err := zstd.NewReader(buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(unzstdWindow))
		if err != nil {
			return nil, err
		}
		t.r, t.close = z, z.Close
	default:
		if err := want(head, kind, gzipContent); err != nil {
			return nil, err
		}
		z, err := kgzip.NewReader(buf)
		if err != nil {
			return nil, err
		}
		t.r = z
	}
	buf = bufio.NewReaderSize(t.r, 64<<10)
	t.r = buf
	head, err = peek(buf)
	if err == nil {
		err = wantTar(head, kind)
	}
	if err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func (t *tarStream) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.n += int64(n)
	if over := t.s.limits.check(t.n, t.s.packed); over != nil {
		return 0, over
	}
	return n, err
}

func (t *tarStream) Close() error {
	t.close()
	return nil
}

// peek returns the first block, or all there is.
func peek(r *bufio.Reader) ([]byte, error) {
	head, err := r.Peek(tarBlock)
	if err == io.EOF {
		err = nil
	}
	return head, err
}
