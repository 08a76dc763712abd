// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
)

// starts is how many starts make a run: one alone is too short to measure.
const starts = 20

// startUp prints versions.
func startUp(ctx context.Context, l *lab) ([]line, error) {
	version := func(name, program string) contender {
		return contender{name: name, run: func(ctx context.Context, _ place, _ int) (usage, error) {
			var sum usage
			for range starts {
				u, err := l.timed(ctx, command{args: []string{program, "version"}})
				if err != nil {
					return sum, err
				}
				sum = sum.then(u)
			}
			return usage{sum.wall / starts, 0}, nil
		}}
	}
	all, err := l.turns(ctx, course{}, version("crane", l.crane), version("crane-bake", l.own))
	if err != nil {
		return nil, err
	}
	return []line{line{work: "`version`", peer: all[0], own: all[1], bare: true}.atMost(1.2)}, nil
}

// binarySize weighs the programs, both built without cgo.
func binarySize(_ context.Context, l *lab) ([]line, error) {
	megabytes := func(path string) (float64, error) {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		return float64(info.Size()) / 1e6, nil
	}
	crane, err := megabytes(l.crane)
	if err != nil {
		return nil, err
	}
	own, err := megabytes(l.own)
	if err != nil {
		return nil, err
	}
	return []line{{
		work: "size of the program", cell: fmt.Sprintf("%.1f MB; crane %.1f MB", own, crane), bare: true,
		bounds: []bound{{"MB", own, 25}},
	}}, nil
}
