// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package layer makes image layers whose bytes depend on nothing but their
// entries and options. A layer is never held in memory or on disk: it is made
// anew, in one pass over its sources, each time it is opened.
package layer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Options say how a layer is packed. The zero value works.
type Options struct {
	// Algorithm is "gzip", "zstd" or "none"; empty is gzip.
	Algorithm string
	// Level is 1–9 for gzip and 1–22 for zstd; 0 is the algorithm's default.
	Level int
	// ModTime is every entry's modification time, cut to whole seconds; the
	// zero time stands for the Unix epoch. FromTar ignores it.
	ModTime time.Time
}

// A File is what a pass found out about an entry that is no directory.
type File struct {
	Name     string
	Type     byte   // tar.TypeReg, tar.TypeSymlink or tar.TypeLink
	Size     int64  // in bytes; 0 for links
	SHA256   string // of the content, in hex; empty for links
	Linkname string // of links
}

// A Layer is a v1.Layer that is made from its sources on each Open. Its digest
// is known after the first complete pass, and each later pass must come to the
// same one. All methods may be called concurrently.
type Layer struct {
	source source
	codec  codec

	// resolving holds one token while a pass of Resolve runs.
	resolving chan struct{}

	mu       sync.Mutex
	result   *Result // of the first complete pass, or recalled; nil before
	recalled bool    // no pass has confirmed result
}

var _ v1.Layer = (*Layer)(nil)

// A source writes the uncompressed tar of a layer.
type source func(ctx context.Context, w io.Writer) ([]File, error)

// A Result is what a complete pass found out. The digest of a pass that did
// not compress is empty.
type Result struct {
	Digest, DiffID v1.Hash
	Size, RawSize  int64 // of the stream as compressed, and before
	Files          []File
}

// ErrRecalled is wrapped, along with ErrChanged, by the error of a pass that
// differs from a recalled result.
var ErrRecalled = errors.New("the result of an earlier run does not hold")

// Result returns what the first complete pass found out, and false before.
func (l *Layer) Result() (Result, bool) {
	if r := l.known(); r != nil {
		return *r, true
	}
	return Result{}, false
}

// Recall settles what a pass will find out, from an earlier run over the same
// sources. A pass that finds out something else ends in ErrRecalled.
func (l *Layer) Recall(r Result) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.result == nil {
		l.result, l.recalled = &r, true
	}
}

// Forget takes Recall back.
func (l *Layer) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.recalled {
		l.result, l.recalled = nil, false
	}
}

// New returns the layer of entries, which are packed in the order in which
// they come. Names must be clean, relative and unique; a pass that meets
// another name ends in an error. New reads nothing and refuses bad options
// only.
func New(entries Entries, opts Options) (*Layer, error) {
	modTime := opts.ModTime
	if modTime.IsZero() {
		modTime = time.Unix(0, 0)
	}
	return newLayer(packing(entries, modTime), opts)
}

// FromTar returns the layer of an existing uncompressed tar, which open opens
// for each pass. The tar's bytes are kept as they are, so the diffID is theirs,
// and Files is empty.
func FromTar(open func() (io.ReadCloser, error), opts Options) (*Layer, error) {
	return newLayer(copying(open), opts)
}

func newLayer(src source, opts Options) (*Layer, error) {
	c, err := newCodec(opts.Algorithm, opts.Level)
	if err != nil {
		return nil, err
	}
	return &Layer{source: src, codec: c, resolving: make(chan struct{}, 1)}, nil
}

// Open starts a pass and returns the layer's compressed bytes. The digest is
// settled when the stream was read to its end: the first pass sets it, and a
// later one that differs ends in ErrChanged instead of io.EOF, before the last
// expected byte is handed out. Cancelling ctx ends the pass; Close before the
// end does so too, and waits until the sources are closed.
func (l *Layer) Open(ctx context.Context) (io.ReadCloser, error) {
	return l.open(ctx, l.codec), nil
}

// Resolve makes a pass that settles the digest, unless one did before.
// Concurrent callers share one pass.
func (l *Layer) Resolve(ctx context.Context) error {
	select {
	case l.resolving <- struct{}{}:
		defer func() { <-l.resolving }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.Resolved() {
		return nil
	}
	r, err := l.pass(ctx, l.codec, io.Discard)
	if err != nil {
		return err
	}
	return l.settle(r)
}

// Resolved reports whether a complete pass has settled the digest.
func (l *Layer) Resolved() bool {
	return l.known() != nil
}

// Files lists the files and links of the layer in stream order; it is nil
// before the layer is resolved.
func (l *Layer) Files() []File {
	r := l.known()
	if r == nil {
		return nil
	}
	return slices.Clone(r.Files)
}

// Digest is the SHA-256 of the compressed bytes. Like DiffID and Size, it
// resolves the layer first if need be.
func (l *Layer) Digest() (v1.Hash, error) {
	r, err := l.resolved()
	return r.Digest, err
}

// DiffID is the SHA-256 of the uncompressed tar.
func (l *Layer) DiffID() (v1.Hash, error) {
	r, err := l.resolved()
	return r.DiffID, err
}

// Size is the number of compressed bytes.
func (l *Layer) Size() (int64, error) {
	r, err := l.resolved()
	return r.Size, err
}

// MediaType is the OCI media type of the layer's algorithm. It needs no pass.
func (l *Layer) MediaType() (types.MediaType, error) {
	return l.codec.mediaType(), nil
}

// Compressed is Open without a context.
func (l *Layer) Compressed() (io.ReadCloser, error) {
	return l.Open(context.Background())
}

// Uncompressed starts a pass that does not compress. A resolved layer's stream
// ends in ErrChanged where it differs from the diffID.
func (l *Layer) Uncompressed() (io.ReadCloser, error) {
	return l.open(context.Background(), codec{algorithm: none}), nil
}

func (l *Layer) known() *Result {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.result
}

func (l *Layer) resolved() (Result, error) {
	if r := l.known(); r != nil {
		return *r, nil
	}
	if err := l.Resolve(context.Background()); err != nil {
		return Result{}, err
	}
	return *l.known(), nil
}

// settle keeps the first result and compares later ones with it.
func (l *Layer) settle(r Result) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	compressed := r.Digest != v1.Hash{}
	switch {
	case l.result == nil:
		if compressed {
			l.result = &r
		}
		return nil
	case r.DiffID != l.result.DiffID:
		return l.blamed(fmt.Errorf("layer with diffID %s is now %s: %w", l.result.DiffID, r.DiffID, ErrChanged))
	case compressed && r.Digest != l.result.Digest:
		return l.blamed(fmt.Errorf("layer %s is now %s: %w", l.result.Digest, r.Digest, ErrChanged))
	}
	l.recalled = l.recalled && !compressed
	return nil
}

// differs is err of a pass that differs from the result.
func (l *Layer) differs(err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.blamed(err)
}

// blamed says so where a recalled result may be what is wrong.
func (l *Layer) blamed(err error) error {
	if l.recalled {
		return fmt.Errorf("%w: %w", err, ErrRecalled)
	}
	return err
}
