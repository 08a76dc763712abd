// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"io"
	"sync"
)

const (
	chunkSize = 256 << 10
	ringSize  = 4
)

// A chunk is a buffer of a stage, or what files are read into.
type chunk struct {
	n    int
	data [chunkSize]byte
}

var chunks = sync.Pool{New: func() any { return new(chunk) }}

// A stage is a writer that lets its sink work in a goroutine of its own, with
// ringSize chunks in between. A stage that is given less than a chunk starts
// no goroutine.
type stage struct {
	sink       io.Writer
	fill       *chunk // being filled; nil before the first write
	made       int    // chunks in circulation
	running    bool
	full, free chan *chunk
	done       chan struct{} // closed when the goroutine has ended
	err        error         // the sink's; read it after done
}

func newStage(sink io.Writer) *stage {
	return &stage{
		sink: sink,
		full: make(chan *chunk, ringSize),
		free: make(chan *chunk, ringSize),
		done: make(chan struct{}),
	}
}

func (s *stage) Write(p []byte) (int, error) {
	var written int
	for written < len(p) {
		if s.fill == nil || s.fill.n == chunkSize {
			if err := s.next(); err != nil {
				return written, err
			}
		}
		n := copy(s.fill.data[s.fill.n:], p[written:])
		s.fill.n += n
		written += n
	}
	return written, nil
}

// next passes a full chunk on and gets an empty one.
func (s *stage) next() error {
	if s.fill != nil {
		if !s.running {
			s.running = true
			go s.run()
		}
		select {
		case <-s.done:
			return s.err
		case s.full <- s.fill:
			s.fill = nil
		}
	}
	if s.made < ringSize && len(s.free) == 0 {
		s.made++
		s.fill = chunks.Get().(*chunk)
		s.fill.n = 0
		return nil
	}
	select {
	case <-s.done:
		return s.err
	case s.fill = <-s.free:
		s.fill.n = 0
		return nil
	}
}

func (s *stage) run() {
	defer close(s.done)
	for c := range s.full {
		_, err := s.sink.Write(c.data[:c.n])
		s.free <- c
		if err != nil {
			s.err = err
			return
		}
	}
}

// close ends the stage, after it passed on what it holds if flush is set, and
// returns the sink's error.
func (s *stage) close(flush bool) error {
	if s.running {
		if flush && s.fill != nil {
			select {
			case <-s.done:
			case s.full <- s.fill:
				s.fill = nil
			}
		}
		close(s.full)
		<-s.done
		for c := range s.full { // what a failed sink has left
			chunks.Put(c)
		}
		close(s.free)
		for c := range s.free {
			chunks.Put(c)
		}
	} else if flush && s.fill != nil {
		_, s.err = s.sink.Write(s.fill.data[:s.fill.n])
	}
	if s.fill != nil {
		chunks.Put(s.fill)
		s.fill = nil
	}
	return s.err
}
