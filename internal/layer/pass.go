// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// pass makes the layer's bytes once and writes them to w. Reading and hashing
// files, hashing the tar, compressing, and hashing the result are done by
// goroutines of their own where there is enough to do; all have ended when
// pass returns.
func (l *Layer) pass(ctx context.Context, c codec, w io.Writer) (Result, error) {
	out := &hashedWriter{w: w, hash: sha256.New()}
	raw := out
	var sink io.Writer = out
	var enc encoder
	if c.algorithm != none {
		enc = c.encoder(out)
		defer enc.release()
		raw = &hashedWriter{w: enc, hash: sha256.New()}
		sink = raw
	}
	stage := newStage(sink)
	files, err := l.source(ctx, stage)
	if closed := stage.close(err == nil); err == nil {
		err = closed
	}
	if err == nil && enc != nil {
		err = enc.Close()
	}
	if ctx.Err() != nil {
		// Whatever went wrong after that is a consequence.
		err = context.Cause(ctx)
	}
	if err != nil {
		return Result{}, err
	}
	r := Result{DiffID: raw.sum(), RawSize: raw.n, Size: out.n, Files: files}
	if c == l.codec {
		r.Digest = out.sum()
	}
	return r, nil
}

// A hashedWriter hashes and counts the bytes that go to w.
type hashedWriter struct {
	w    io.Writer
	hash hash.Hash
	n    int64
}

func (h *hashedWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil // an empty write to a pipe waits for its reader
	}
	h.hash.Write(p)
	h.n += int64(len(p))
	return h.w.Write(p)
}

func (h *hashedWriter) sum() v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(h.hash.Sum(nil))}
}

// A stream is the reading end of a pass.
type stream struct {
	layer    *Layer
	compress bool
	pipe     *io.PipeReader
	read     int64
	err      error // sticky, Read's own

	stop   func() // ends the pass
	done   chan struct{}
	result Result // set before the pipe's end of file
}

func (l *Layer) open(ctx context.Context, c codec) *stream {
	inner, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	// A pass that waits for its reader does not look at ctx.
	unhook := context.AfterFunc(ctx, func() { pw.CloseWithError(context.Cause(ctx)) })
	s := &stream{
		layer:    l,
		compress: c == l.codec,
		pipe:     pr,
		done:     make(chan struct{}),
		stop: func() {
			unhook()
			cancel()
		},
	}
	go func() {
		defer close(s.done)
		r, err := l.pass(inner, c, pw)
		s.result = r
		pw.CloseWithError(err) // without an error, the end of file
	}()
	return s
}

// Read reads from the pass. At the end of file it settles the pass's result;
// where the size is known, it does so before it hands out the last byte, since
// a reader that counts bytes may not come back for the end of file.
func (s *stream) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.pipe.Read(p)
	s.read += int64(n)
	if n > 0 && err == nil && s.complete() {
		var more [1]byte
		if _, err = io.ReadFull(s.pipe, more[:]); err == nil {
			err = s.layer.differs(fmt.Errorf("layer has more than its %d bytes: %w", s.read, ErrChanged))
		}
	}
	if err == io.EOF {
		if settled := s.layer.settle(s.result); settled != nil {
			err = settled
		}
	}
	s.err = err
	if err != nil && err != io.EOF {
		return 0, err
	}
	return n, err
}

// complete reports whether as many bytes were read as an earlier pass had.
func (s *stream) complete() bool {
	r := s.layer.known()
	switch {
	case r == nil:
		return false
	case s.compress:
		return s.read >= r.Size
	default:
		return s.read >= r.RawSize
	}
}

func (s *stream) Close() error {
	s.stop()
	err := s.pipe.Close()
	<-s.done
	return err
}
