// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
)

// printFindings writes findings as check does; notes only where they are asked
// for.
func printFindings(w io.Writer, fsys fs.FS, findings []finding, notes bool) {
	var b bytes.Buffer // written at once: the bakes of a fleet run side by side
	for _, f := range findings {
		if f.Severity == engine.Note && !notes {
			continue
		}
		writeFinding(&b, f, fsys)
	}
	b.WriteTo(w)
}

// printDone sums up what was done, a past participle, in one line, and says what
// was left out.
func printDone(w io.Writer, done string, r *bake.Report, took time.Duration) {
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(n))
	}
	fmt.Fprintf(w, "%s %s in %s: %s, %d requests\n", done, plural(len(r.Platforms), "image"), seconds(took), moved(r.Transfer), r.Transfer.Requests)
}

// moved says what a transfer did, without what it did not.
func moved(t bake.Transfer) string {
	var parts []string
	for _, p := range []struct {
		what  string
		bytes int64
	}{{"uploaded", t.UploadedBytes}, {"copied", t.CopiedBytes}, {"mounted", t.MountedBytes}, {"reused", t.ReusedBytes}} {
		if p.bytes > 0 {
			parts = append(parts, p.what+" "+size(p.bytes))
		}
	}
	if len(parts) == 0 {
		return "nothing to move"
	}
	return strings.Join(parts, ", ")
}

// printBudget shows what a bake would do.
func printBudget(w io.Writer, plan *bake.Plan, r *bake.Report) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(cells ...string) {
		for i, c := range cells {
			cells[i] = strings.ReplaceAll(printable(c), "\t", " ") // a tab ends a cell
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	row("base", fmt.Sprintf("%s@%s", r.Base.Name, r.Base.Digest))
	for _, p := range r.Platforms {
		if p.Platform == "" {
			continue // a base that does not say
		}
		row("platform", p.Platform)
	}
	for _, f := range plan.Files() {
		row(strings.TrimSpace(string(f.Role)+" "+f.Name), f.Path, size(f.Size), "from "+f.Source)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Env)) {
		row("env", k+"="+r.Env[k])
	}
	for _, l := range r.Layers {
		row("layer", l.Class, size(l.Size), l.Digest.String())
	}
	for _, tag := range r.Tags {
		row("tag", tag)
	}
	row("upload", size(r.Transfer.UploadedBytes))
	row("mount", size(r.Transfer.MountedBytes))
	row("copy", size(r.Transfer.CopiedBytes))
	row("reuse", size(r.Transfer.ReusedBytes))
	t.Flush()
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", printable(n))
	}
	fmt.Fprintln(w, "dry run: nothing was written")
}

// size is a number of bytes in decimal units, as registries count them.
func size(n int64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	case n < 1000*1000:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1000*1000*1000:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f GB", float64(n)/1e9)
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
