// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// share is the part of a fleet that crane bakes in a loop: the loop's time does
// not depend on how long it is, and is scaled.
const share = 10

// A scatter says where the images of a fleet go.
type scatter struct {
	text   string
	shared bool                           // by all images
	name   func(run string, i int) string // of the i-th image
}

var (
	oneRepository = scatter{"one repository, a tag each", true, func(run string, i int) string { return fmt.Sprintf("%s/scorers:%d", run, i) }}
	repositories  = scatter{"a repository each", false, func(run string, i int) string { return fmt.Sprintf("%s/scorer-%d:v1", run, i) }}
)

// fleetAtOnce bakes a fleet without latency.
func fleetAtOnce(ctx context.Context, l *lab) ([]line, error) { return l.nearFleet(ctx, oneRepository) }

// fleetApart bakes it into repositories that have nothing of the base yet.
func fleetApart(ctx context.Context, l *lab) ([]line, error) { return l.nearFleet(ctx, repositories) }

func (l *lab) nearFleet(ctx context.Context, to scatter) ([]line, error) {
	lines, err := l.bakeFleet(ctx, to, 0, true)
	if err != nil {
		return nil, err
	}
	lines[0] = lines[0].atMost(1.0 / 10)
	lines[1] = lines[1].atMost(1.0 / 4)
	return lines, nil
}

// fleetFarAway bakes it with latency.
func fleetFarAway(ctx context.Context, l *lab) ([]line, error) {
	lines, err := l.bakeFleet(ctx, oneRepository, l.latency, false)
	if err != nil {
		return nil, err
	}
	lines[0] = lines[0].atMost(1.0 / 30)
	return lines, nil
}

// bakeFleet bakes models that differ in one line.
func (l *lab) bakeFleet(ctx context.Context, to scatter, latency time.Duration, parallel bool) (_ []line, err error) {
	f, err := l.newFleet(to)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(f.dir)) }()
	course, stop, err := l.through(ctx, latency, false)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	part := max(l.fleet/share, 1)
	contenders := []contender{
		{name: "crane in a loop", times: l.fleet / part, run: func(ctx context.Context, at place, n int) (usage, error) {
			var sum usage
			for i := range part {
				u, err := l.timed(ctx, l.craneBake(at, f.tar(i), to.name(fmt.Sprintf("loop%d", n), i)))
				if err != nil {
					return sum, err
				}
				sum = sum.then(u)
			}
			return sum, nil
		}},
		{name: "crane-bake", run: func(ctx context.Context, at place, n int) (usage, error) {
			file, err := f.bakeFile(at, n)
			if err != nil {
				return usage{}, err
			}
			return l.timed(ctx, command{args: []string{l.own, "build", "-f", file}})
		}},
	}
	if parallel {
		contenders = append(contenders, contender{name: "crane, `xargs -P 8`", run: f.xargs}, f.floor())
	}
	all, err := l.turns(ctx, l.cleared(ctx, course), contenders...)
	if err != nil {
		return nil, err
	}
	where := "no latency"
	if latency > 0 {
		where = l.latencyText()
	}
	work := fmt.Sprintf("fleet of %d small bakes on one base, %s, %s (the loop: %d of them, times %d)",
		l.fleet, to.text, where, part, l.fleet/part)
	lines := []line{{work: work, peer: all[0], own: all[1], latent: latency > 0}}
	if parallel {
		lines = append(lines, line{work: work, peer: all[2], own: all[1]}, line{work: work, peer: all[3], own: all[1], bare: true})
	}
	return lines, nil
}

// fleet is the files of many bakes.
type fleet struct {
	lab *lab
	dir string
	to  scatter
}

// newFleet writes the models, and for crane a tar of each bake.
func (l *lab) newFleet(to scatter) (*fleet, error) {
	dir, err := l.scratch("fleet")
	if err != nil {
		return nil, err
	}
	f := &fleet{l, dir, to}
	if err := l.files.copySmall(dir); err != nil {
		return nil, err
	}
	contents := make([][]byte, len(small))
	for i, name := range small {
		if contents[i], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	model := contents[0]
	for i := range l.fleet {
		contents[0] = fmt.Appendf(bytes.Clone(model), "\n# scorer %d\n", i)
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("model-%d.py3", i)), contents[0], 0o644); err != nil {
			return nil, err
		}
		packed, err := tarOf(contents)
		if err != nil {
			return nil, err
		}
		if err := os.WriteFile(f.tar(i), packed, 0o644); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *fleet) tar(i int) string { return filepath.Join(f.dir, fmt.Sprintf("%d.tar", i)) }

// tarOf is a tar of the five files with these contents.
func tarOf(contents [][]byte) ([]byte, error) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for i, name := range small {
		if err := w.WriteHeader(&tar.Header{Name: "assets/" + name, Mode: 0o644, Size: int64(len(contents[i]))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(contents[i]); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

// bakeFile writes the fleet file of a run.
func (f *fleet) bakeFile(at place, n int) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `defaults:
  base: %s/%s
  schemas: {inputsch: input.avsc, outputsch: output.avsc}
  streams: {0: rest.json, 1: kafka.json}
bakes:
`, at.from, baseName)
	for i := range f.lab.fleet {
		fmt.Fprintf(&b, "  scorer-%d: {model: model-%d.py3, tags: [\"%s/%s\"]}\n", i, i, at.to, f.to.name(fmt.Sprintf("fleet%d", n), i))
	}
	file := filepath.Join(f.dir, fmt.Sprintf("fleet-%d.yaml", n))
	return file, os.WriteFile(file, []byte(b.String()), 0o644)
}

// xargs bakes the fleet with eight cranes at a time.
func (f *fleet) xargs(ctx context.Context, at place, n int) (usage, error) {
	var b strings.Builder
	for i := range f.lab.fleet {
		args := f.lab.craneBake(at, f.tar(i), f.to.name(fmt.Sprintf("xargs%d", n), i)).args
		fmt.Fprintln(&b, strings.Join(args[1:], " "))
	}
	list := filepath.Join(f.dir, fmt.Sprintf("xargs-%d", n))
	if err := os.WriteFile(list, []byte(b.String()), 0o644); err != nil {
		return usage{}, err
	}
	u, err := f.lab.timed(ctx, command{args: []string{"xargs", "-a", list, "-P", "8", "-L", "1", f.lab.crane}})
	u.memory = 0 // its own, not the cranes'
	return u, err
}
