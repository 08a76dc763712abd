// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registry

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// errBodySpent is what a transport gets that sends a body a second time, as
// that of bearer tokens does after a challenge: what is left of the body is not
// the content. The next attempt opens it anew.
var errBodySpent = errors.New("the request had to be sent again when its body was under way")

// errEarlyAnswer is for the success of an upload whose end was not known yet.
var errEarlyAnswer = errors.New("the registry answered before it had got all")

// errBodyClosed is what a transport gets that goes on with a closed body.
var errBodyClosed = errors.New("the body was closed")

// storing is how long a registry may take to store a byte after the last one was
// sent, when nothing moves any more: what proxies have buffered goes to it only
// then, and some move a blob to its place.
const storing = time.Second / (16 << 20)

// sentBody is the body of a request. It feeds the watch with every read, which
// does not count the time that the content takes, and keeps the errors of the
// content apart from those of the network.
//
// A transport may read a body after it has returned the answer: because a
// registry answered early, or only to see that nothing follows the last byte.
// What the content's readers share with the caller would then be used by both at
// once; so Close waits for a Read under way, and the content sees no other.
type sentBody struct {
	content io.ReadCloser // nil is none
	watch   *watch
	sent    atomic.Bool

	reading chan struct{} // holds one token while the content is read
	read    int64         // in bytes
	left    int64         // to be read; negative is unknown
	ended   bool          // the content was read to its end

	mu     sync.Mutex
	closed bool
	err    error
}

func newSentBody(content io.ReadCloser, size int64, watch *watch) *sentBody {
	return &sentBody{content: content, left: size, watch: watch, reading: make(chan struct{}, 1)}
}

func (b *sentBody) Read(p []byte) (int, error) {
	b.reading <- struct{}{}
	defer func() { <-b.reading }()
	if b.isClosed() {
		if b.ended || b.left == 0 { // and the connection may be used again
			return 0, io.EOF
		}
		return 0, errBodyClosed
	}
	b.watch.stop()
	n, err := b.content.Read(p)
	b.read += int64(n)
	b.left -= int64(n)
	b.ended = err == io.EOF
	if b.ended || b.left == 0 {
		b.watch.feedFor(time.Duration(b.read) * storing)
	} else {
		b.watch.feed()
	}
	if err == io.EOF && b.left > 0 {
		err = fmt.Errorf("%w: it ends %d bytes early", ErrIntegrity, b.left)
	}
	if err != nil && err != io.EOF {
		b.failed(err)
	}
	return n, err
}

func (b *sentBody) isClosed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

// failed keeps an error of the content. A broken connection closes the body
// while it may still be read: what comes of that is not the content's.
func (b *sentBody) failed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.err = err
	}
}

func (b *sentBody) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// Close closes the content the first time. It returns when the content is not
// read any more, which closing it brings about.
func (b *sentBody) Close() error {
	if b.content == nil {
		return nil
	}
	b.mu.Lock()
	closed := b.closed
	b.closed = true
	b.mu.Unlock()
	var err error
	if !closed {
		err = b.content.Close()
	}
	b.reading <- struct{}{}
	<-b.reading
	return err
}
