// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"time"
)

// place is where a command reads its base and writes its image: hosts of
// registries.
type place struct{ from, to string }

// course is where contenders run.
type course struct {
	// counted leads through the proxies. The run that is not timed goes there,
	// and where timed is the zero value all do.
	counted, timed place
	proxies        []*proxy
	// after puts things back in order after each run; nil is not needed.
	after func() error
}

// contender is one side of a comparison.
type contender struct {
	name string
	// run does the work once. n numbers the runs from 0.
	run func(ctx context.Context, at place, n int) (usage, error)
	// times is how often its measured part goes into the whole work; 0 is once.
	times int
	// optional is for a peer that needs more than this machine may grant.
	optional bool
}

// series is the runs of one contender.
type series struct {
	name    string
	runs    []usage
	traffic [][]traffic // of each counted run, by proxy
	times   int
}

// turns lets contenders run in turn, so that what else the machine does meets
// all of them, and one time before that counts for nothing but traffic.
func (l *lab) turns(ctx context.Context, c course, contenders ...contender) ([]*series, error) {
	all := make([]*series, len(contenders))
	for i, one := range contenders {
		all[i] = &series{name: one.name, times: max(one.times, 1)}
	}
	for n := range l.runs + 1 {
		at := c.counted
		if n > 0 && c.timed != (place{}) {
			at = c.timed
		}
		for i, one := range contenders {
			if all[i] == nil {
				continue
			}
			u, err := one.run(ctx, at, n)
			if err != nil && one.optional && ctx.Err() == nil {
				fmt.Fprintf(os.Stderr, "bench: %s is left out: %v\n", one.name, err)
				all[i] = nil
				err = nil
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", one.name, err)
			}
			all[i].add(c, u, n)
			if c.after != nil {
				if err := c.after(); err != nil {
					return nil, err
				}
			}
		}
	}
	return all, nil
}

func (s *series) add(c course, u usage, n int) {
	var passed []traffic
	for _, p := range c.proxies {
		passed = append(passed, p.take())
	}
	if s == nil {
		return // it was left out
	}
	if n > 0 {
		s.runs = append(s.runs, u)
	}
	if (n == 0) == (c.timed != place{}) {
		s.traffic = append(s.traffic, passed)
	}
}

func (s *series) wall() time.Duration {
	return median(s.runs, func(u usage) time.Duration { return u.wall }) * time.Duration(s.times)
}

// memory is the worst of all runs.
func (s *series) memory() int64 {
	var peak int64
	for _, u := range s.runs {
		peak = max(peak, u.memory)
	}
	return peak
}

// passed is the median of what all proxies, or the ones that are named, say.
func (s *series) passed(of func(traffic) int64, proxies ...int) int64 {
	return int64(s.times) * median(s.traffic, func(run []traffic) (sum int64) {
		for i, t := range run {
			if len(proxies) == 0 || slices.Contains(proxies, i) {
				sum += of(t)
			}
		}
		return sum
	})
}

func (s *series) requests() int64 {
	return s.passed(func(t traffic) int64 { return int64(t.requests) })
}

func (s *series) bytes() int64 {
	return s.passed(func(t traffic) int64 { return t.sent + t.received })
}

func (s *series) trips() int64 {
	return s.passed(func(t traffic) int64 { return int64(t.trips) })
}

func median[S any, T cmp.Ordered](samples []S, of func(S) T) T {
	values := make([]T, len(samples))
	for i, s := range samples {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
