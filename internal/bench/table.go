// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// page is the document that has the table, between two markers.
const (
	page       = "docs/performance.md"
	tableBegin = "<!-- bench: begin -->\n"
	tableEnd   = "<!-- bench: end -->\n"
)

// line is one line of the table: crane-bake against one peer, or alone.
type line struct {
	work      string
	peer, own *series // peer is nil without one
	bounds    []bound
	bare      bool   // show no traffic: there is none, or an earlier line has it
	latent    bool   // round trips in a row mean something
	cell      string // in place of crane-bake's time
}

// bound is a promise about one line.
type bound struct {
	what     string // "requests"; empty is the ratio of times
	got, max float64
}

func (b bound) String() string {
	text := fmt.Sprintf("≤ %.4g %s", b.max, b.what)
	if b.got > b.max {
		text = fmt.Sprintf("**%s**, missed: %.4g", strings.TrimSpace(text), b.got)
	}
	return strings.TrimSpace(text)
}

// ratio is crane-bake's time as a part of the peer's.
func (l line) ratio() float64 { return l.own.wall().Seconds() / l.peer.wall().Seconds() }

// atMost adds the bound of the ratio.
func (l line) atMost(ratio float64) line {
	l.bounds = append([]bound{{"", l.ratio(), ratio}}, l.bounds...)
	return l
}

func (l line) missed() (errs []error) {
	for _, b := range l.bounds {
		if b.got > b.max {
			what := b.what
			if what == "" {
				what = "of the time of " + l.peer.name
			}
			errs = append(errs, fmt.Errorf("%s: %.4g %s, want at most %.4g", l.work, b.got, what, b.max))
		}
	}
	return errs
}

// render makes the table; cells with two figures have the peer's first.
func render(lines []line) string {
	var b strings.Builder
	b.WriteString("| work | peer | crane-bake | ratio | bound | requests | bytes moved | round trips in a row | peak memory, MiB |\n")
	b.WriteString("| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n")
	last := ""
	for _, l := range lines {
		work := l.work
		if work == last {
			work = "″"
		}
		last = l.work
		fmt.Fprintf(&b, "| %s |\n", strings.Join(append([]string{work}, l.cells()...), " | "))
	}
	return b.String()
}

func (l line) cells() []string {
	peer, ratio := "", ""
	own := l.cell
	if own == "" {
		own = seconds(l.own.wall())
	}
	if l.peer != nil {
		peer = l.peer.name + " " + seconds(l.peer.wall())
		ratio = fmt.Sprintf("%.3g", l.ratio())
	}
	var bounds []string
	for _, b := range l.bounds {
		bounds = append(bounds, b.String())
	}
	cells := []string{peer, own, ratio, strings.Join(bounds, "; ")}
	requests, moved, trips, memory := "", "", "", ""
	if !l.bare {
		requests = l.pair(func(s *series) string { return fmt.Sprint(s.requests()) })
		moved = l.pair(func(s *series) string { return magnitude(s.bytes()) })
	}
	if l.latent {
		trips = l.pair(func(s *series) string { return fmt.Sprint(s.trips()) })
	}
	if l.own != nil && l.own.memory() > 0 {
		memory = l.pair(func(s *series) string {
			if s.memory() == 0 {
				return "–" // not known
			}
			return fmt.Sprint(s.memory() >> 20)
		})
	}
	return append(cells, requests, moved, trips, memory)
}

// pair shows a figure of the peer and of crane-bake.
func (l line) pair(of func(*series) string) string {
	if l.peer == nil {
		return of(l.own)
	}
	return of(l.peer) + " / " + of(l.own)
}

func magnitude(bytes int64) string {
	if bytes < 1e6 {
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.4g MB", float64(bytes)/1e6)
}

func seconds(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.3g s", d.Seconds())
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// writeTable puts the table into the page.
func writeTable(table string, runs int) error {
	old, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	before, rest, ok := bytes.Cut(old, []byte(tableBegin))
	_, after, closed := bytes.Cut(rest, []byte(tableEnd))
	if !ok || !closed {
		return errors.New(page + " has no place for the table")
	}
	text := fmt.Sprintf("%s%s\nMedians of %d runs each (flag -runs), in turn, after one not counted; cells with two figures: peer / crane-bake.\n\n%s\n%s%s",
		before, tableBegin, runs, table, tableEnd, after)
	return os.WriteFile(page, []byte(text), 0o644)
}
