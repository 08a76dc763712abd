// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	kgzip "github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Read reads the layer r of packed bytes to its end, whatever made it and
// however it is compressed, and calls visit for its entries in order. An
// entry's Open is good for one reading while visit runs; what visit leaves
// unread is passed over. An error of visit ends the reading and is returned.
// The digest is that of the uncompressed bytes, the layer's diffID.
//
// Entries are as they are in the layer: whiteouts are files, Type may be that
// of a device, and names may repeat. Names and the targets of hard links are
// clean; ones that are absolute or lead upwards are refused, and so is what
// exceeds limits.
func Read(ctx context.Context, r io.Reader, packed int64, limits Limits, visit func(Entry) error) (v1.Hash, error) {
	plain, closePlain, err := decompress(cancelable{ctx, r})
	if err != nil {
		return v1.Hash{}, truncated(err)
	}
	defer closePlain()
	hashed := &hashedWriter{w: io.Discard, hash: sha256.New()}
	bounded := &tarStream{r: plain, s: newSieve("", limits.withDefaults(), packed, true)}
	all := io.TeeReader(bounded, hashed)
	t := tar.NewReader(all)
	for n := 1; ; n++ {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
			return v1.Hash{}, truncated(err)
		}
		if n > bounded.s.limits.Entries {
			return v1.Hash{}, fmt.Errorf("has more than %d entries", bounded.s.limits.Entries)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		e, err := entryOf(h, t)
		if err != nil {
			return v1.Hash{}, fmt.Errorf("entry %q: %w", h.Name, err)
		}
		if e.Name == "." {
			continue // the root's own entry is not anybody's file
		}
		if err := visit(e); err != nil {
			return v1.Hash{}, err
		}
	}
	// The digest is of the padding as well.
	if _, err := io.Copy(io.Discard, all); err != nil {
		return v1.Hash{}, truncated(err)
	}
	return hashed.sum(), nil
}

// entryOf is the entry whose header is h and whose content t reads.
func entryOf(h *tar.Header, t *tar.Reader) (Entry, error) {
	name, err := cleanName(h.Name)
	e := Entry{Name: name, Type: h.Typeflag, Mode: keptMode(h.FileInfo().Mode()), UID: h.Uid, GID: h.Gid, Linkname: h.Linkname}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse, '\x00': // the last is the oldest tars'
		e.Type, e.Size, e.Linkname = tar.TypeReg, h.Size, ""
		e.Open = func() (io.ReadCloser, error) { return io.NopCloser(tarContent{t}), nil }
	case tar.TypeLink:
		if err == nil {
			e.Linkname, err = cleanName(h.Linkname)
		}
	}
	return e, err
}

// decompress takes the compression off that r's first bytes show.
func decompress(r io.Reader) (io.Reader, func(), error) {
	buf := bufio.NewReaderSize(r, 64<<10)
	head, err := peek(buf)
	if err != nil {
		return nil, nil, err
	}
	switch sniff(head) {
	case gzipContent:
		z, err := kgzip.NewReader(buf)
		return z, func() {}, err
	case zstdContent:
		z, err := zstd.NewReader(buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(unzstdWindow))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return buf, func() {}, nil
}
