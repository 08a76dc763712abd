// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"time"
)

// packing is the source of a tar of entries.
func packing(entries Entries, modTime time.Time) source {
	modTime = time.Unix(modTime.Unix(), 0).UTC()
	return func(ctx context.Context, w io.Writer) ([]File, error) {
		p := &packer{
			tar:     tar.NewWriter(w),
			modTime: modTime,
			hash:    sha256.New(),
			buf:     chunks.Get().(*chunk),
			seen:    make(map[string]struct{}),
		}
		defer chunks.Put(p.buf)
		for e, err := range entries {
			if err == nil {
				err = p.add(ctx, e)
			}
			if err != nil {
				return nil, err
			}
		}
		return p.files, p.tar.Close()
	}
}

// copying is the source of a tar that exists.
func copying(open func() (io.ReadCloser, error)) source {
	return func(ctx context.Context, w io.Writer) ([]File, error) {
		r, err := open()
		if err != nil {
			return nil, err
		}
		buf := chunks.Get().(*chunk)
		defer chunks.Put(buf)
		_, err = copyContent(ctx, w, r, buf.data[:])
		return nil, errors.Join(err, r.Close())
	}
}

// A packer writes entries to a tar.
type packer struct {
	tar     *tar.Writer
	modTime time.Time
	hash    hash.Hash
	buf     *chunk
	seen    map[string]struct{}
	files   []File
}

func (p *packer) add(ctx context.Context, e Entry) error {
	if err := p.check(e); err != nil {
		return fmt.Errorf("layer entry %q: %w", e.Name, err)
	}
	if err := p.writeHeader(e); err != nil {
		return fmt.Errorf("layer entry %q: %w", e.Name, err)
	}
	if e.Type == tar.TypeDir {
		return nil
	}
	f := File{Name: e.Name, Type: e.Type, Linkname: e.Linkname}
	if e.Type == tar.TypeReg {
		if err := p.writeContent(ctx, e); err != nil {
			return fmt.Errorf("layer entry %q: %w", e.Name, err)
		}
		f.Size, f.SHA256 = e.Size, hex.EncodeToString(p.hash.Sum(nil))
	}
	p.files = append(p.files, f)
	return nil
}

// check refuses entries that no layer may have.
func (p *packer) check(e Entry) error {
	if !fs.ValidPath(e.Name) || e.Name == "." {
		return errors.New("name is not a clean relative path in UTF-8")
	}
	if _, dup := p.seen[e.Name]; dup {
		return errors.New("name occurs twice")
	}
	p.seen[e.Name] = struct{}{}
	link := e.Type == tar.TypeSymlink || e.Type == tar.TypeLink
	switch {
	case link && e.Linkname == "":
		return errors.New("link without a target")
	case !link && e.Linkname != "":
		return fmt.Errorf("target %q of what is no link", e.Linkname)
	case e.Type == tar.TypeReg && e.Open == nil:
		return errors.New("file without content")
	case e.Type != tar.TypeReg && e.Size != 0:
		return fmt.Errorf("size %d of what is no file", e.Size)
	case e.Type == tar.TypeReg, e.Type == tar.TypeDir, link:
		return nil
	}
	return fmt.Errorf("tar type %q is none of file, directory and link", e.Type)
}

// writeHeader writes a USTAR header or, where a field does not fit into one, a
// PAX header; never one of GNU's, which archive/tar would fall back to.
func (p *packer) writeHeader(e Entry) error {
	h := &tar.Header{
		Typeflag: e.Type,
		Name:     e.Name,
		Linkname: e.Linkname,
		Size:     e.Size,
		Mode:     tarMode(e.Mode),
		Uid:      e.UID,
		Gid:      e.GID,
		ModTime:  p.modTime,
		Format:   tar.FormatUSTAR,
	}
	if e.Type == tar.TypeDir {
		h.Name += "/"
	}
	if p.tar.WriteHeader(h) == nil {
		return nil
	}
	// A header that can't be encoded leaves the writer as it was; an error of
	// the stream comes again.
	h.Format = tar.FormatPAX
	return p.tar.WriteHeader(h)
}

// tarMode translates the mode bits that a layer may have (POSIX pax, c_mode).
func tarMode(m fs.FileMode) int64 {
	mode := int64(m.Perm())
	if m&fs.ModeSetuid != 0 {
		mode |= 0o4000
	}
	if m&fs.ModeSetgid != 0 {
		mode |= 0o2000
	}
	if m&fs.ModeSticky != 0 {
		mode |= 0o1000
	}
	return mode
}

// writeContent copies an entry's content, which p.hash has hashed afterwards.
func (p *packer) writeContent(ctx context.Context, e Entry) error {
	r, err := e.Open()
	if err != nil {
		return err
	}
	p.hash.Reset()
	// One byte more than Size is enough to tell that there is more.
	n, err := copyContent(ctx, io.MultiWriter(p.hash, p.tar), io.LimitReader(r, e.Size+1), p.buf.data[:])
	switch {
	case n > e.Size:
		err = fmt.Errorf("more than %d bytes: %w", e.Size, ErrChanged)
	case err == nil && n < e.Size:
		err = fmt.Errorf("%d bytes instead of %d: %w", n, e.Size, ErrChanged)
	}
	return errors.Join(err, r.Close())
}

// copyContent copies up to the end of file and returns the number of bytes
// read. Unlike io.Copy, it hears ctx.
func copyContent(ctx context.Context, w io.Writer, r io.Reader, buf []byte) (int64, error) {
	var n int64
	for {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		k, err := r.Read(buf)
		n += int64(k)
		if k > 0 {
			if _, werr := w.Write(buf[:k]); werr != nil {
				return n, werr
			}
		}
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
