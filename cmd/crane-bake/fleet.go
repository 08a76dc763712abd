// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/bake"
)

// atOnce is how many bakes of a fleet run side by side. Most of them wait for
// answers; --jobs bounds what moves.
const atOnce = 32

// fleet bakes many specs over one remote. A bake that fails is one line, and
// does not stop the others.
func (b *build) fleet(ctx context.Context, env *environment, remote *bake.Remote, opts bake.Options, bakes []namedSpec, out *reportWriter) error {
	shared := bake.NewFleet(remote, opts)
	defer shared.Close() // what it has read
	type result struct {
		report *bake.Report
		err    error
		done   chan struct{}
	}
	results := make([]result, len(bakes))
	for i := range results {
		results[i].done = make(chan struct{})
	}
	var g errgroup.Group
	g.SetLimit(atOnce)
	go func() {
		for i, one := range bakes {
			g.Go(func() error {
				defer close(results[i].done)
				results[i].report, results[i].err = b.one(ctx, env, remote, one, shared.Bake)
				return nil
			})
		}
	}()
	failed := 0
	for i, one := range bakes {
		<-results[i].done
		err := results[i].err
		if err == nil {
			err = out.add(results[i].report)
		}
		if err != nil {
			failed++
			printError(env.stderr, &bakeError{one.Name, err})
		}
	}
	// Where all failed, the files stay as they were, as after one that failed.
	if failed == 0 || len(out.published) > 0 {
		if err := out.close(); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d bakes failed", failed, len(bakes))
	}
	return nil
}

// chosen is the part of a fleet that --shard names. It depends on nothing but
// the bakes' names, so that a bake that is added moves no other one.
func (b *build) chosen(bakes []namedSpec) ([]namedSpec, error) {
	if b.shard == "" {
		return bakes, nil
	}
	first, count, _ := strings.Cut(b.shard, "/")
	i, err1 := strconv.ParseUint(first, 10, 32)
	n, err2 := strconv.ParseUint(count, 10, 32)
	if err1 != nil || err2 != nil || i >= n {
		return nil, errUsage("--shard %s: want I/N with 0 ≤ I < N", b.shard)
	}
	if bakes[0].Name == "" {
		return nil, errUsage("--shard takes a part of a fleet, and this is one bake")
	}
	var part []namedSpec
	for _, one := range bakes {
		h := fnv.New64a()
		h.Write([]byte(one.Name))
		if h.Sum64()%n == i {
			part = append(part, one)
		}
	}
	return part, nil
}

// distinct refuses bakes that would publish to one location: which of them won
// would be chance.
func (b *build) distinct(bakes []namedSpec) error {
	taken := map[string]string{} // place to bake
	for _, one := range bakes {
		for _, tag := range one.Spec.Tags {
			loc, err := bake.ParseLocation(tag, b.remote.insecure)
			if err != nil {
				continue // its own bake will say so
			}
			where := placeOf(loc)
			if other, ok := taken[where]; ok && other != one.Name {
				return withHint(errUsage("bakes %s and %s both publish to %s", other, one.Name, loc), "give each bake tags of its own")
			}
			taken[where] = one.Name
		}
	}
	return nil
}

// placeOf is what an image at loc takes: a tag in a registry or a layout, or all
// of an archive.
func placeOf(loc bake.Location) string {
	transport, rest, _ := strings.Cut(loc.String(), ":")
	file, tag, _ := strings.Cut(rest, ":")
	archive := transport == "oci-archive" || transport == "docker-archive"
	if !archive && transport != "oci" {
		return loc.String()
	}
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	if archive {
		return "archive:" + file
	}
	return "oci:" + file + ":" + tag
}
