// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/crane-bake/crane-bake/bake"
)

// progress shows blobs on their way: on a terminal one line for each that
// moves, redrawn in place; elsewhere a line when one has arrived, and now and
// then one that says how far a big one is.
type progress struct {
	w    io.Writer
	mode string // tty, plain or none

	mu      sync.Mutex
	moving  map[string]*movement
	order   []string
	drawn   int    // lines on the terminal that belong to us
	target  string // the first that was heard of
	several bool   // whether there are more
	stopped chan struct{}
	wg      sync.WaitGroup
}

// movement is one blob on its way to one target.
type movement struct {
	event   bake.Event
	started time.Time
	said    time.Time // when a plain line last spoke of it
}

// newProgress makes the display that the flags ask for.
func (f *remoteFlags) newProgress(env *environment) (*progress, error) {
	mode := f.progress
	switch mode {
	case "auto":
		mode = "plain"
		if file, ok := env.stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) && env.getenv("TERM") != "dumb" {
			mode = "tty"
		}
	case "tty", "plain", "none":
	default:
		return nil, errUsage("--progress %q: want auto, tty, plain or none", f.progress)
	}
	if f.quiet {
		mode = "none"
	}
	p := &progress{w: env.stderr, mode: mode, moving: map[string]*movement{}, stopped: make(chan struct{})}
	if mode == "tty" {
		p.wg.Go(p.redraw)
	}
	return p, nil
}

// sayAgain is how long a plain display keeps silent about a moving blob.
const sayAgain = 5 * time.Second

// event is called by the bake, from several goroutines.
func (p *progress) event(e bake.Event) {
	if p.mode == "none" {
		return
	}
	e.Blob, e.Target = printable(e.Blob), printable(e.Target) // a platform is named by the base
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.target == "" {
		p.target = e.Target
	}
	p.several = p.several || p.target != e.Target
	now := time.Now()
	key := e.Target + " " + e.Blob
	m, known := p.moving[key]
	if e.Done != "" {
		delete(p.moving, key)
		p.order = slices.DeleteFunc(p.order, func(k string) bool { return k == key })
		p.arrived(e, m, now)
		return
	}
	if !known {
		m = &movement{started: now, said: now}
		p.moving[key] = m
		p.order = append(p.order, key)
	}
	m.event = e
	if p.mode == "plain" && now.Sub(m.said) >= sayAgain {
		m.said = now
		fmt.Fprintln(p.w, m.line(now))
	}
}

// worthALine is the size from which a copied blob of the base has its own line.
const worthALine = 10 << 20

// arrived writes the line that stays. Mounted, reused and small copied blobs
// are many and took no time: the line at the end sums them up.
func (p *progress) arrived(e bake.Event, m *movement, now time.Time) {
	if e.Done == bake.Mounted || e.Done == bake.Reused || e.Done == bake.Copied && e.Total < worthALine {
		return
	}
	p.clear()
	line := fmt.Sprintf("%-9s %s  %s", e.Done, e.Blob, size(e.Total))
	if p.several {
		line += "  to " + e.Target
	}
	if m != nil && now.Sub(m.started) >= time.Second {
		line += fmt.Sprintf("  %s/s", size(int64(float64(e.Total)/now.Sub(m.started).Seconds())))
	}
	fmt.Fprintln(p.w, line)
	p.draw(now)
}

// stop ends the display and takes its moving lines away.
func (p *progress) stop() {
	close(p.stopped)
	p.wg.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

func (p *progress) redraw() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-p.stopped:
			return
		case now := <-tick.C:
			p.mu.Lock()
			p.clear()
			p.draw(now)
			p.mu.Unlock()
		}
	}
}

// clear takes the moving lines off the terminal.
func (p *progress) clear() {
	if p.drawn > 0 {
		fmt.Fprintf(p.w, "\x1b[%dA\x1b[J", p.drawn)
		p.drawn = 0
	}
}

// maxDrawn keeps the moving lines on a small terminal.
const maxDrawn = 8

func (p *progress) draw(now time.Time) {
	if p.mode != "tty" {
		return
	}
	var b strings.Builder
	for _, key := range p.order[:min(len(p.order), maxDrawn)] {
		b.WriteString(p.moving[key].line(now))
		b.WriteByte('\n')
		p.drawn++
	}
	io.WriteString(p.w, b.String())
}

// line is a moving blob: name, bytes, share, rate.
func (m *movement) line(now time.Time) string {
	line := fmt.Sprintf("moving    %s  %s", m.event.Blob, size(m.event.Moved))
	if m.event.Total > 0 {
		line += fmt.Sprintf(" of %s (%d%%)", size(m.event.Total), 100*m.event.Moved/m.event.Total)
	}
	if d := now.Sub(m.started).Seconds(); d > 0.5 {
		line += fmt.Sprintf("  %s/s", size(int64(float64(m.event.Moved)/d)))
	}
	return line
}
