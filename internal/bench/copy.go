// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// otherRegistry bakes onto a base of another registry, whose layers must come
// along.
func otherRegistry(ctx context.Context, l *lab) (_ []line, err error) {
	source, err := startRegistry(ctx, filepath.Join(l.dir, "source"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.stop()) }()
	if err := pushBase(ctx, source.host, l.image); err != nil {
		return nil, err
	}
	from, err := startProxy(source.host, 0, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, from.stop()) }()
	to, err := startProxy(l.registry.host, 0, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, to.stop()) }()
	c := course{
		counted: place{from.host, to.host},
		timed:   place{source.host, l.registry.host},
		proxies: []*proxy{from, to},
		after:   l.registry.clear,
	}
	own := func(ctx context.Context, at place, n int) (usage, error) {
		return l.timed(ctx, l.ownBake(at, "moved/own:v1", "-l", fmt.Sprintf("run=%d", n)))
	}
	all, err := l.turns(ctx, c,
		contender{name: "`crane copy`", run: func(ctx context.Context, at place, n int) (usage, error) {
			return l.timed(ctx, command{args: []string{l.crane, "copy", at.from + "/" + baseName, at.to + "/moved/crane:v1"}})
		}},
		contender{name: "crane-bake", run: own})
	if err != nil {
		return nil, err
	}
	first, err := ownTwice(ctx, c, own)
	if err != nil {
		return nil, err
	}
	megabytes := func(n int64) float64 { return float64(n) / 1e6 }
	// Layers are tars and a little larger than their content.
	most := megabytes(l.image)*1.01 + 0.1
	read := all[1].passed(func(t traffic) int64 { return t.received }, 0)
	sent := all[1].passed(func(t traffic) int64 { return t.sent }, 1)
	return []line{line{
		work: fmt.Sprintf("five small files, base of %.0f MB in another registry, no latency", megabytes(l.image)),
		peer: all[0], own: all[1],
		bounds: []bound{
			{"MB read", megabytes(read), most},
			{"MB sent", megabytes(sent), most},
			{"MB moved by a second bake", megabytes(first), 0.1},
		},
	}.atMost(1.1)}, nil
}

// ownTwice bakes, bakes again with another label, and returns the bytes that
// moved for the second bake.
func ownTwice(ctx context.Context, c course, bake func(context.Context, place, int) (usage, error)) (int64, error) {
	var moved int64
	for n := range 2 {
		if _, err := bake(ctx, c.counted, n); err != nil {
			return 0, err
		}
		moved = 0
		for _, p := range c.proxies {
			t := p.take()
			moved += t.sent + t.received
		}
	}
	return moved, nil
}
