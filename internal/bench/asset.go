// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.3g GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// bigAsset bakes an asset that does not compress. Crane is given the tar that
// it needs.
func bigAsset(ctx context.Context, l *lab) (_ []line, err error) {
	big, err := l.files.noise("big.bin", l.asset)
	if err != nil {
		return nil, err
	}
	tar := l.tarFile("big")
	tarred, err := l.timed(ctx, l.files.tarOf(tar, "big.bin"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(tar)) }()
	course, stop, err := l.through(ctx, 0, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	own := func(compression string) contender {
		return contender{name: "crane-bake", run: func(ctx context.Context, at place, n int) (usage, error) {
			if err := l.coldCache(); err != nil {
				return usage{}, err
			}
			return l.timed(ctx, l.ownBake(at, fmt.Sprintf("big-%s%d/scorer:v1", compression, n), "--asset", big, "--compression", compression))
		}}
	}
	all, err := l.turns(ctx, l.cleared(ctx, course),
		contender{name: "crane", run: func(ctx context.Context, at place, n int) (usage, error) {
			return l.timed(ctx, l.craneBake(at, tar, fmt.Sprintf("bigcrane%d/scorer:v1", n)))
		}},
		own("gzip"), own("none"), l.curl(big), l.sha256sum(big),
		l.buildah(func(n int) string { return fmt.Sprintf("bigbuildah%d/scorer:v1", n) }, "big.bin"),
	)
	if err != nil {
		return nil, err
	}
	crane, gzip, none, curl, sum, buildah := all[0], all[1], all[2], all[3], all[4], all[5]
	work := size(l.asset) + " that do not compress, no latency"
	lines := []line{line{work: work, peer: crane, own: gzip, bounds: []bound{memoryBound(gzip)}}.atMost(1 / 2.5)}
	if buildah != nil {
		lines = append(lines, line{work: work, peer: buildah, own: gzip})
	}
	return append(lines,
		line{work: work, peer: curl, own: gzip, bare: true}.atMost(1.5),
		line{work: work, peer: sum, own: gzip, bare: true},
		line{work: "the same, with the time of `tar` for crane", peer: crane.plus(tarred.wall), own: gzip, bare: true},
		line{work: "the same, `--compression none`", peer: curl, own: none, bare: true, bounds: []bound{memoryBound(none)}}.atMost(1.15),
	), nil
}

// memoryBound is what a bake of any size may take.
func memoryBound(s *series) bound { return bound{"MiB of memory", float64(s.memory()) / (1 << 20), 64} }

// plus is the series with each run longer by d.
func (s *series) plus(d time.Duration) *series {
	longer := *s
	longer.runs = nil
	for _, u := range s.runs {
		longer.runs = append(longer.runs, usage{u.wall + d, u.memory})
	}
	return &longer
}

// jsonLines bakes an asset that compresses well.
func jsonLines(ctx context.Context, l *lab) (_ []line, err error) {
	asset, err := l.files.jsonLines("lines.jsonl", l.lines)
	if err != nil {
		return nil, err
	}
	tar := l.tarFile("lines")
	if _, err := l.timed(ctx, l.files.tarOf(tar, "lines.jsonl")); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(tar), os.Remove(asset)) }()
	course, stop, err := l.through(ctx, 0, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	var craneBlob, ownBlob int64
	all, err := l.turns(ctx, l.cleared(ctx, course),
		contender{name: "crane", run: func(ctx context.Context, at place, n int) (usage, error) {
			image := fmt.Sprintf("linescrane%d/scorer:v1", n)
			u, err := l.timed(ctx, command{args: []string{l.crane, "append", "-b", at.from + "/" + baseName, "-f", tar, "-t", at.to + "/" + image}})
			if err == nil {
				craneBlob, err = ownLayers(ctx, l.registry.host+"/"+image)
			}
			return u, err
		}},
		contender{name: "crane-bake", run: func(ctx context.Context, at place, n int) (usage, error) {
			if err := l.coldCache(); err != nil {
				return usage{}, err
			}
			image := fmt.Sprintf("linesown%d/scorer:v1", n)
			u, err := l.timed(ctx, l.ownBake(at, image, "--asset", asset))
			if err == nil {
				ownBlob, err = ownLayers(ctx, l.registry.host+"/"+image)
			}
			return u, err
		}},
		l.buildah(func(n int) string { return fmt.Sprintf("linesbuildah%d/scorer:v1", n) }, "lines.jsonl"),
	)
	if err != nil {
		return nil, err
	}
	work := size(l.lines) + " of JSON lines, no latency"
	first := line{work: work, peer: all[0], own: all[1], bounds: []bound{
		{"of crane's blob", float64(ownBlob) / float64(craneBlob), 1},
		memoryBound(all[1]),
	}}
	lines := []line{first.atMost(1.0 / 5)}
	if all[2] != nil {
		lines = append(lines, line{work: work, peer: all[2], own: all[1]})
	}
	return lines, nil
}

// assetAgain bakes an asset that an earlier bake has read, with another label,
// so that there is something to publish.
func assetAgain(ctx context.Context, l *lab) (_ []line, err error) {
	big, err := l.files.noise("big.bin", l.asset)
	if err != nil {
		return nil, err
	}
	tar := l.tarFile("again")
	if _, err := l.timed(ctx, l.files.tarOf(tar, "big.bin")); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.Remove(tar)) }()
	course, stop, err := l.through(ctx, 0, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	crane := func(ctx context.Context, at place, n int) (usage, error) {
		return l.timed(ctx, l.craneBake(at, tar, "again/crane:v1", "-l", fmt.Sprintf("run=%d", n)))
	}
	own := func(ctx context.Context, at place, n int) (usage, error) {
		return l.timed(ctx, l.ownBake(at, "again/own:v1", "--asset", big, "-l", fmt.Sprintf("run=%d", n)))
	}
	if err := l.coldCache(); err != nil {
		return nil, err
	}
	time.Sleep(3 * time.Second) // a file that changed less than two seconds ago may change unseen
	for _, first := range []func(context.Context, place, int) (usage, error){crane, own} {
		if _, err := first(ctx, course.timed, -1); err != nil {
			return nil, err
		}
	}
	all, err := l.turns(ctx, course, contender{name: "crane", run: crane}, contender{name: "crane-bake", run: own})
	if err != nil {
		return nil, err
	}
	sent := all[1].passed(func(t traffic) int64 { return t.sent })
	return []line{{work: "an unchanged asset of " + size(l.asset) + " again", peer: all[0], own: all[1], bounds: []bound{
		{"s", all[1].wall().Seconds(), 0.2},
		{"MB sent", float64(sent) / 1e6, 0.1},
	}}}, nil
}
