// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures crane-bake side by side with crane, in turn, on one
// registry (Debian's docker-registry) behind a proxy that adds latency to every
// request. It prints a table of medians and ratios, and fails where a bound that
// the project holds itself to is missed.
//
//	go run ./internal/bench [-runs N] [-latency D] [-asset BYTES]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

// craneModule is the peer, built from its module.
const craneModule = "github.com/google/go-containerregistry/cmd/crane@v0.22.1"

// settings are what the flags say.
type settings struct {
	runs    int
	latency time.Duration
	asset   int64
}

func main() {
	var s settings
	flag.IntVar(&s.runs, "runs", 5, "counted runs of each command, after one that is not")
	flag.DurationVar(&s.latency, "latency", 50*time.Millisecond, "added to every request")
	flag.Int64Var(&s.asset, "asset", 1<<30, "bytes of the big asset")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := bench(ctx, s); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, s settings) (err error) {
	dir, err := os.MkdirTemp("", "crane-bake-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	tools, err := buildTools(ctx, filepath.Join(dir, "bin"))
	if err != nil {
		return err
	}
	reg, err := startRegistry(ctx, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.stop()) }()
	if err := pushBase(ctx, reg.host); err != nil {
		return err
	}
	assets, err := writeAssets(dir, s.asset)
	if err != nil {
		return err
	}
	fmt.Printf("medians of %d runs in turn after one not counted; %v added to every request\n\n", s.runs, s.latency)
	fmt.Println("| work | crane | crane-bake | ratio | bound |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	return errors.Join(
		smallBake(ctx, s, tools, reg, assets),
		bigAsset(ctx, s, tools, reg, assets),
	)
}
