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
// for. In a fleet, label is the bake's name.
func printFindings(w io.Writer, fsys fs.FS, label string, findings []engine.Finding, notes bool) {
	var b bytes.Buffer // written at once: the bakes of a fleet run side by side
	for _, f := range findings {
		if f.Severity == engine.Note && !notes {
			continue
		}
		if label != "" {
			fmt.Fprintf(&b, "%s: ", label)
		}
		writeFinding(&b, f, fsys)
	}
	b.WriteTo(w)
}

// printDone sums up a bake in one line, and says what was left out.
func printDone(w io.Writer, r *bake.Report, took time.Duration) {
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
	}
	fmt.Fprintf(w, "baked %s in %s: %s, %d requests\n", plural(len(r.Platforms), "image"), seconds(took), moved(r.Transfer), r.Transfer.Requests)
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
	fmt.Fprintf(t, "base\t%s@%s\n", r.Base.Name, r.Base.Digest)
	for _, p := range r.Platforms {
		if p.Platform == "" {
			continue // a base that does not say
		}
		fmt.Fprintf(t, "platform\t%s\n", p.Platform)
	}
	for _, f := range plan.Files() {
		what := strings.TrimSpace(string(f.Role) + " " + f.Name)
		fmt.Fprintf(t, "%s\t%s\t%s\tfrom %s\n", what, f.Path, size(f.Size), f.Source)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Env)) {
		fmt.Fprintf(t, "env\t%s=%s\n", k, r.Env[k])
	}
	for _, l := range r.Layers {
		fmt.Fprintf(t, "layer\t%s\t%s\t%s\n", l.Class, size(l.Size), l.Digest)
	}
	for _, tag := range r.Tags {
		fmt.Fprintf(t, "tag\t%s\n", tag)
	}
	fmt.Fprintf(t, "upload\t%s\n", size(r.Transfer.UploadedBytes))
	fmt.Fprintf(t, "mount\t%s\n", size(r.Transfer.MountedBytes))
	fmt.Fprintf(t, "copy\t%s\n", size(r.Transfer.CopiedBytes))
	fmt.Fprintf(t, "reuse\t%s\n", size(r.Transfer.ReusedBytes))
	t.Flush()
	for _, n := range r.Notes {
		fmt.Fprintf(w, "note: %s\n", n)
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
