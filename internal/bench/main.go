// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Command bench measures crane-bake side by side with crane and buildah, in
// turn and as whole processes, on Debian's docker-registry behind a proxy on
// loopback that adds latency and counts. What no tool can beat, such as curl
// sending the same bytes, is measured in the same run. It prints a table of
// medians and fails where a bound that the project holds itself to is missed.
//
//	go run ./internal/bench [-only ROW,…] [-runs N] [-write]
//
// It is run in the repository. With -write the table goes into
// docs/performance.md too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// settings are what the flags say. Sizes are in bytes.
type settings struct {
	runs    int
	only    string
	bin     string
	latency time.Duration
	asset   int64
	lines   int64
	huge    int64
	image   int64
	fleet   int
	write   bool
}

// rows are what is measured, in the order of the table.
var rows = []struct {
	name    string
	measure func(context.Context, *lab) ([]line, error)
}{
	{"small", smallOther},
	{"same", smallSame},
	{"token", smallToken},
	{"asset", bigAsset},
	{"lines", jsonLines},
	{"huge", hugeAsset},
	{"again", assetAgain},
	{"fleet", fleetAtOnce},
	{"fleet-apart", fleetApart},
	{"fleet-latency", fleetFarAway},
	{"copy", otherRegistry},
	{"start", startUp},
	{"binary", binarySize},
}

func main() {
	var s settings
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	flag.IntVar(&s.runs, "runs", 5, "counted runs of each command, after one that is not")
	flag.StringVar(&s.only, "only", "", "rows to measure, of "+strings.Join(names, ","))
	flag.StringVar(&s.bin, "bin", "", "measure this crane-bake instead of building one")
	flag.DurationVar(&s.latency, "latency", 50*time.Millisecond, "added to every request of the rows with latency")
	flag.Int64Var(&s.asset, "asset", 1<<30, "bytes of the big asset")
	flag.Int64Var(&s.lines, "lines", 512<<20, "bytes of JSON lines")
	flag.Int64Var(&s.huge, "huge", 8<<30, "bytes of the asset that is larger than memory should be")
	flag.Int64Var(&s.image, "image", 300_000_000, "bytes of the base in another registry")
	flag.IntVar(&s.fleet, "fleet", 500, "bakes of a fleet")
	flag.BoolVar(&s.write, "write", false, "write the table into "+page)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := bench(ctx, s, names); err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

func bench(ctx context.Context, s settings, names []string) (err error) {
	chosen := names
	if s.only != "" {
		chosen = strings.Split(s.only, ",")
	}
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			return fmt.Errorf("no row %q; there are %s", name, strings.Join(names, ", "))
		}
	}
	if s.write && s.only != "" {
		return errors.New("-write writes the whole table: leave -only out")
	}
	if s.runs < 1 {
		return errors.New("-runs: want at least one")
	}
	l, err := newLab(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	var lines []line
	var missed []error
	for _, r := range rows {
		if !slices.Contains(chosen, r.name) {
			continue
		}
		fmt.Fprintf(os.Stderr, "bench: %s\n", r.name)
		found, err := r.measure(ctx, l)
		if err != nil {
			return fmt.Errorf("measuring %s: %w", r.name, err)
		}
		lines = append(lines, found...)
		for _, line := range found {
			missed = append(missed, line.missed()...)
		}
	}
	table := render(lines)
	fmt.Print(table)
	if s.write {
		missed = append(missed, writeTable(table, s.runs))
	}
	return errors.Join(missed...)
}
