// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"strings"
)

const tarBlock = 512

// walkTar passes the members of a tar, which may be compressed, through s.
func walkTar(f io.Reader, kind string, s *sieve, visit visitor) error {
	c, err := uncompress(f, kind, s)
	if err != nil {
		return truncated(err)
	}
	defer c.Close() // has nothing to say that Read has not
	r := tar.NewReader(c)
	var end int64 // of the last member
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return truncated(err)
		}
		if err := passTar(r, h, s, visit); err != nil {
			return err
		}
		end = wholeBlocks(c.n)
	}
	return c.expectEnd(end)
}

// expectEnd reads what is behind the last member. A tar ends with blocks of
// zeros (POSIX pax, "ustar Interchange Format"); archive/tar is content without.
func (t *tarStream) expectEnd(last int64) error {
	if t.n < last+tarBlock {
		return truncated(io.ErrUnexpectedEOF)
	}
	return expectZeros(t)
}

// wholeBlocks is n, rounded up.
func wholeBlocks(n int64) int64 { return (n + tarBlock - 1) / tarBlock * tarBlock }

// passTar passes one member, and then reads what the visitor has left of it.
func passTar(r *tar.Reader, h *tar.Header, s *sieve, visit visitor) error {
	m := Member{Name: h.Name, Type: h.Typeflag}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		m.Type, m.Size = tar.TypeReg, h.Size
		if strings.HasSuffix(h.Name, "/") {
			return fmt.Errorf("member %q: is a file with the name of a directory", h.Name)
		}
	case tar.TypeSymlink, tar.TypeLink:
		m.Linkname = h.Linkname
	case tar.TypeDir:
	case tar.TypeXGlobalHeader: // git archive writes the commit there
		return nil
	default:
		return fmt.Errorf("member %q: is a %s; want a file, directory or link", h.Name, tarKind(h.Typeflag))
	}
	m.Mode = memberMode(m.Type, h.FileInfo().Mode())
	if s.asIs {
		m.Mode, m.UID, m.GID = keptMode(h.FileInfo().Mode()), h.Uid, h.Gid
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(tarContent{r}), nil }
	if err := s.pass(m, visit, open); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, tarContent{r})
	return err
}

// tarContent reads the current member of a tar.
type tarContent struct{ r *tar.Reader }

func (c tarContent) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	return n, truncated(err)
}

// tarKind names the types of members that no layer gets.
func tarKind(typ byte) string {
	switch typ {
	case tar.TypeChar, tar.TypeBlock:
		return "device"
	case tar.TypeFifo:
		return "named pipe"
	}
	return fmt.Sprintf("member of type %q", typ)
}

// truncated says what an unexpected end of file means for an archive.
func truncated(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("is truncated: %w", err)
	}
	return err
}

// expectZeros reads the padding behind a tar. Members behind the first end
// mark, as in concatenated tars, would be left out without a word.
func expectZeros(r io.Reader) error {
	buf := make([]byte, 8<<10)
	for {
		n, err := r.Read(buf)
		for _, b := range buf[:n] {
			if b != 0 {
				return errors.New("has data behind the end of the tar")
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return truncated(err)
		}
	}
}
