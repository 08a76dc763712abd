// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"io"
	"math"
	"slices"
	"sync"
	"time"
)

// traffic is what passed a proxy.
type traffic struct {
	requests int
	sent     int64 // bytes of requests' bodies
	received int64 // bytes of answers' bodies
	// trips is the length of the longest chain of requests of which each began
	// after the one before was answered: at least as many as had to wait for
	// each other.
	trips int
}

// A tally collects the traffic of one command.
type tally struct {
	mu             sync.Mutex
	spans          []span
	sent, received int64
}

// span is the time from a request's arrival to its answer's header.
type span struct{ begin, end time.Time }

func (t *tally) answered(s span) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spans = append(t.spans, s)
}

func (t *tally) passed(sent, received int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sent += sent
	t.received += received
}

// take returns what was collected since the last call.
func (t *tally) take() traffic {
	t.mu.Lock()
	defer t.mu.Unlock()
	got := traffic{requests: len(t.spans), sent: t.sent, received: t.received, trips: longestChain(t.spans)}
	t.spans, t.sent, t.received = nil, 0, 0
	return got
}

// longestChain is how many of the spans can follow one another: of those that
// begin late enough, the one that ends first leaves most room for others.
func longestChain(spans []span) int {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.end.UnixNano(), b.end.UnixNano()) })
	n, last := 0, int64(math.MinInt64)
	for _, s := range spans {
		if s.begin.UnixNano() >= last {
			n++
			last = s.end.UnixNano()
		}
	}
	return n
}

// meter counts the bytes that are read through it.
type meter struct {
	io.ReadCloser
	read func(n int64)
}

func (m *meter) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.read(int64(n))
	return n, err
}
