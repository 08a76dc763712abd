// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

func (l *lab) latencyText() string { return fmt.Sprintf("%d ms a request", l.latency.Milliseconds()) }

// smallOther bakes five small files into another repository than the base's.
func smallOther(ctx context.Context, l *lab) ([]line, error) {
	lines, err := l.small(ctx, false, func(who string, n int) string { return fmt.Sprintf("%s%d/scorer:v1", who, n) })
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].work = "five small files, base of ten layers, other repository, " + l.latencyText()
	}
	own := lines[0].own
	lines[0].bounds = []bound{{"requests", float64(own.requests()), 20}, {"round trips", float64(own.trips()), 6}}
	lines[0] = lines[0].atMost(0.40)
	return lines, nil
}

// smallSame bakes them into the base's repository.
func smallSame(ctx context.Context, l *lab) ([]line, error) {
	lines, err := l.small(ctx, false, func(who string, n int) string { return fmt.Sprintf("%s:%s%d", baseRepo, who, n) })
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].work = "the same, repository of the base"
	}
	lines[0].bounds = []bound{{"requests", float64(lines[0].own.requests()), 10}}
	lines[0] = lines[0].atMost(0.45)
	return lines, nil
}

// smallToken bakes them into another repository of a registry with a token
// server.
func smallToken(ctx context.Context, l *lab) ([]line, error) {
	lines, err := l.small(ctx, true, func(who string, n int) string { return fmt.Sprintf("%s-token%d/scorer:v1", who, n) })
	if err != nil {
		return nil, err
	}
	for i := range lines {
		lines[i].work = "the same, other repository, token server"
	}
	lines[0].bounds = []bound{{"round trips", float64(lines[0].own.trips()), 8}}
	return lines, nil
}

// small bakes the five files to images that are named by who bakes and the
// run's number.
func (l *lab) small(ctx context.Context, tokens bool, image func(who string, n int) string) (_ []line, err error) {
	course, stop, err := l.through(ctx, l.latency, tokens)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	all, err := l.turns(ctx, course,
		contender{name: "crane", run: func(ctx context.Context, at place, n int) (usage, error) {
			if err := l.files.vary(n); err != nil {
				return usage{}, err
			}
			tar, err := l.files.smallTar(ctx)
			if err != nil {
				return usage{}, err
			}
			return l.timed(ctx, l.craneBake(at, tar, image("crane", n)))
		}},
		contender{name: "crane-bake", run: func(ctx context.Context, at place, n int) (usage, error) {
			return l.timed(ctx, l.ownBake(at, image("own", n)))
		}},
		l.buildah(func(n int) string { return image("buildah", n) }),
	)
	if err != nil {
		return nil, err
	}
	lines := []line{{peer: all[0], own: all[1], latent: true}}
	if all[2] != nil {
		lines = append(lines, line{peer: all[2], own: all[1], latent: true})
	}
	return lines, nil
}

// through is a course through a proxy to the registry, which has the base.
// Without latency, commands are timed past it.
func (l *lab) through(ctx context.Context, latency time.Duration, tokens bool) (course, func() error, error) {
	if err := pushBase(ctx, l.registry.host, baseSize); err != nil {
		return course{}, nil, err
	}
	p, err := startProxy(l.registry.host, latency, tokens)
	if err != nil {
		return course{}, nil, err
	}
	c := course{counted: place{p.host, p.host}, proxies: []*proxy{p}}
	if latency == 0 {
		c.timed = place{l.registry.host, l.registry.host}
	}
	return c, p.stop, nil
}

// cleared is a course whose registry has nothing but the base for each run.
func (l *lab) cleared(ctx context.Context, c course) course {
	c.after = func() error {
		return errors.Join(l.registry.clear(), pushBase(ctx, l.registry.host, baseSize))
	}
	return c
}
