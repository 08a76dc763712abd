// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"time"
)

// The bounds that hold from the start.
const (
	maxRatio  = 0.5
	maxMemory = 64 << 20
)

// smallBake bakes five small files onto a base of ten layers, to another
// repository of its registry.
func smallBake(ctx context.Context, s settings, t tools, reg *registryProcess, a assets) error {
	proxy, err := startProxy(reg.host, s.latency)
	if err != nil {
		return err
	}
	defer proxy.stop()
	base := proxy.host + "/base/engine:ten"
	var crane, own series
	for i := range s.runs + 1 {
		ran, err := proxy.timed(ctx, t.crane, a.craneArgs(base, fmt.Sprintf("%s/crane%d/scorer:v1", proxy.host, i))...)
		if err != nil {
			return err
		}
		baked, err := proxy.timed(ctx, t.own, a.ownArgs(base, fmt.Sprintf("%s/own%d/scorer:v1", proxy.host, i))...)
		if err != nil {
			return err
		}
		if i > 0 {
			crane.add(ran)
			own.add(baked)
		}
	}
	ratio := own.wall().Seconds() / crane.wall().Seconds()
	fmt.Printf("| five small files, ten-layer base, other repository | %.2f s, %d requests | %.2f s, %d requests | %.2f | ≤ %.2f |\n",
		crane.wall().Seconds(), crane.requests(), own.wall().Seconds(), own.requests(), ratio, maxRatio)
	if ratio > maxRatio {
		return fmt.Errorf("small bake: %.2f of crane's time, want at most %.2f", ratio, maxRatio)
	}
	return nil
}

// bigAsset bakes one big incompressible asset without added latency. Crane is
// given the tar that it needs; making it is counted apart.
func bigAsset(ctx context.Context, s settings, t tools, reg *registryProcess, a assets) error {
	proxy, err := startProxy(reg.host, 0)
	if err != nil {
		return err
	}
	defer proxy.stop()
	base := reg.host + "/base/engine:ten"
	tar, err := a.makeTar(ctx)
	if err != nil {
		return err
	}
	var crane, own series
	for i := range s.runs + 1 {
		ran, err := proxy.timed(ctx, t.crane, "mutate", base, "--append", a.bigTar, "-t", fmt.Sprintf("%s/bigcrane%d/scorer:v1", reg.host, i))
		if err != nil {
			return err
		}
		args := append(a.ownArgs(base, fmt.Sprintf("%s/bigown%d/scorer:v1", reg.host, i)), "--asset", a.big)
		baked, err := proxy.timed(ctx, t.own, args...)
		if err != nil {
			return err
		}
		if err := reg.dropBlobs(); err != nil {
			return err
		}
		if err := pushBase(ctx, reg.host); err != nil {
			return err
		}
		if i > 0 {
			crane.add(ran)
			own.add(baked)
		}
	}
	fmt.Printf("| asset of %d MiB, no latency | %.2f s, and %.2f s for tar | %.2f s | %.2f | |\n",
		s.asset>>20, crane.wall().Seconds(), tar.Seconds(), own.wall().Seconds(), own.wall().Seconds()/crane.wall().Seconds())
	fmt.Printf("| its peak memory | %d MiB | %d MiB | | ≤ %d MiB |\n", crane.memory()>>20, own.memory()>>20, maxMemory>>20)
	if own.memory() > maxMemory {
		return fmt.Errorf("big asset: %d MiB of memory, want at most %d", own.memory()>>20, maxMemory>>20)
	}
	return nil
}

// run is one finished command.
type run struct {
	wall     time.Duration
	memory   int64 // peak resident bytes
	requests int64
}

// series is the counted runs of one command.
type series []run

func (s *series) add(r run) { *s = append(*s, r) }

func (s series) wall() time.Duration {
	return median(s, func(r run) time.Duration { return r.wall })
}

func (s series) requests() int64 { return median(s, func(r run) int64 { return r.requests }) }

func (s series) memory() int64 {
	var peak int64
	for _, r := range s {
		peak = max(peak, r.memory)
	}
	return peak
}
