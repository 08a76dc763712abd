// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"io"

	"github.com/klauspost/compress/zstd"
)

// The compressions that Docker unpacks, by how they begin.
var (
	gzipMagic  = []byte("\x1f\x8b\x08")
	bzip2Magic = []byte("BZh")
	xzMagic    = []byte("\xfd7zXZ\x00")
	zstdMagic  = []byte("\x28\xb5\x2f\xfd")
)

// zstdWindow is the largest window that the zstd command reads without being
// asked to.
const zstdWindow = 128 << 20

// isArchive reports whether ADD unpacks the file: a tar, compressed or not,
// whatever its name.
func (c *buildContext) isArchive(name string) (bool, error) {
	f, err := c.fsys.Open(name)
	if err != nil {
		return false, c.missing(name, err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	head, err := r.Peek(len(xzMagic))
	if err != nil && err != io.EOF {
		return false, c.missing(name, err)
	}
	unsupported := addCompression.fault()
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		z, err := gzip.NewReader(r)
		return err == nil && isTar(z), nil
	case bytes.HasPrefix(head, zstdMagic):
		z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			return false, err
		}
		defer z.Close()
		return isTar(z), nil
	case bytes.HasPrefix(head, bzip2Magic):
		if isTar(bzip2.NewReader(r)) {
			return false, unsupported
		}
		return false, nil
	case bytes.HasPrefix(head, xzMagic):
		return false, unsupported
	}
	return isTar(r), nil
}

func isTar(r io.Reader) bool {
	_, err := tar.NewReader(r).Next()
	return err == nil
}
