// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// hugeAsset bakes an asset of many times the memory that a bake may take, to a
// registry that throws it away.
func hugeAsset(ctx context.Context, l *lab) (_ []line, err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(l.dir, &disk); err != nil {
		return nil, err
	}
	length := min(l.huge, int64(disk.Bavail)*int64(disk.Bsize)/2) // the largest that fits with room for others
	asset, err := l.files.noise("huge.bin", length)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(l.files.path("huge.bin")))
	}
	defer func() { err = errors.Join(err, os.Remove(asset)) }()
	if err := pushBase(ctx, l.registry.host, baseSize); err != nil {
		return nil, err
	}
	sink, err := startDiscarder()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sink.stop()) }()
	home, err := l.home()
	if err != nil {
		return nil, err
	}
	once := *l
	once.runs = 1 // its time is no part of any bound
	all, err := once.turns(ctx, course{counted: place{l.registry.host, sink.host}},
		contender{name: "crane-bake", run: func(ctx context.Context, at place, n int) (usage, error) {
			if err := l.coldCache(); err != nil {
				return usage{}, err
			}
			before, err := listing(home)
			if err != nil {
				return usage{}, err
			}
			c := l.ownBake(at, fmt.Sprintf("huge%d/scorer:v1", n), "--asset", asset)
			var written []string
			c.watch = func(proc string) { written = append(written, writesTo(proc, filepath.Join(home, "cache"))...) }
			u, err := l.timed(ctx, c)
			if err != nil {
				return u, err
			}
			after, err := listing(home)
			if err == nil && (len(written) > 0 || !slices.Equal(before, after)) {
				err = fmt.Errorf("it wrote files: open for writing %q; directories before %q, after %q", slices.Compact(written), before, after)
			}
			return u, err
		}})
	if err != nil {
		return nil, err
	}
	return []line{{
		work: size(length) + " that do not compress, to a registry that throws them away; no temporary file",
		own:  all[0], bare: true, bounds: []bound{memoryBound(all[0])},
	}}, nil
}

// listing is what is in the home, in its directory for temporary files too, and
// when that was changed: a file that was there for a moment changes it.
func listing(home string) ([]string, error) {
	var found []string
	for _, dir := range []string{home, filepath.Join(home, "tmp")} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if e.Name() != "cache" {
				found = append(found, filepath.Join(dir, e.Name()))
			}
		}
	}
	info, err := os.Stat(filepath.Join(home, "tmp"))
	if err != nil {
		return nil, err
	}
	return append(found, info.ModTime().String()), nil
}

// writesTo lists the files that a process has open for writing, other than
// those below except. Those without a name, which no directory shows, are
// among them.
func writesTo(proc, except string) []string {
	var found []string
	fds, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return nil // it is ending
	}
	for _, fd := range fds {
		target, err := os.Readlink(proc + "/fd/" + fd.Name())
		if err != nil || !strings.HasPrefix(target, "/") || strings.HasPrefix(target, "/dev/") || strings.HasPrefix(target, except) {
			continue
		}
		info, err := os.ReadFile(proc + "/fdinfo/" + fd.Name())
		if err != nil {
			continue
		}
		_, rest, _ := strings.Cut(string(info), "flags:")
		text, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
		flags, err := strconv.ParseInt(text, 8, 64)
		if err == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY {
			found = append(found, target)
		}
	}
	return found
}
