// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"io"
	"sync"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// fanOut calls use n times at once, each with a content of its own, and
// returns their errors. The first time that they are all opened, content is
// opened once and what it yields goes to every one of them, at the pace of the
// slowest; one that has to start again opens content for itself.
func fanOut(ctx context.Context, content registry.Content, n int, use func(i int, c registry.Content) error) []error {
	if n == 1 {
		return []error{use(0, content)}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	readers := make([]*io.PipeReader, n)
	writers := make([]*io.PipeWriter, n)
	for i := range n {
		readers[i], writers[i] = io.Pipe()
	}
	var wg sync.WaitGroup
	wg.Go(func() { distribute(ctx, content, writers) })

	errs := make([]error, n)
	var uses sync.WaitGroup
	for i := range n {
		uses.Go(func() {
			// A reader that nobody reads any more must not stop the others.
			defer readers[i].Close()
			own := content
			var first sync.Once
			own.Open = func(ctx context.Context) (io.ReadCloser, error) {
				var rc io.ReadCloser
				first.Do(func() { rc = readers[i] })
				if rc != nil {
					return rc, nil
				}
				return content.Open(ctx)
			}
			errs[i] = use(i, own)
		})
	}
	uses.Wait()
	cancel()
	wg.Wait()
	return errs
}

// distribute copies content to every writer that is still read.
func distribute(ctx context.Context, content registry.Content, writers []*io.PipeWriter) {
	rc, err := content.Open(ctx)
	if err == nil {
		defer rc.Close()
		buf := make([]byte, 128<<10)
		live := len(writers)
		closed := make([]bool, len(writers))
		for err == nil && live > 0 {
			var n int
			n, err = rc.Read(buf)
			for i, w := range writers {
				if closed[i] || n == 0 {
					continue
				}
				if _, werr := w.Write(buf[:n]); werr != nil {
					closed[i] = true
					live--
				}
			}
		}
	}
	for _, w := range writers {
		w.CloseWithError(err) // io.EOF where everything was read
	}
}
