// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"
)

const manFile = "../../docs/crane-bake.1"

// TestReferenceManPage keeps the man page and the command table together.
func TestReferenceManPage(t *testing.T) {
	guide, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	want := manPage(t, string(guide))
	if *update {
		if err := os.WriteFile(manFile, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(manFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("run go test ./cmd/crane-bake -update (-want +got):\n%s", diff)
	}
}

// TestManPageRenders wants groff to have no complaints.
func TestManPageRenders(t *testing.T) {
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Fatalf("%v; run scripts/install-peers", err)
	}
	if out, err := exec.CommandContext(t.Context(), groff, "-man", "-ww", "-z", "-Tutf8", manFile).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

// manPage is the command table in the words of man(7), with the exit codes of
// docs/cli.md.
func manPage(t *testing.T, guide string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(`.\" Made from the command table: go test ./cmd/crane-bake -update
.TH CRANE\-BAKE 1 "" crane\-bake
.SH NAME
crane\-bake \- bake models, schemas and streams into engine images without Docker
.SH SYNOPSIS
.B crane\-bake
.I COMMAND
[flags] [arguments]
.SH COMMANDS
`)
	for _, c := range commands() {
		writeManCommand(&b, c)
	}
	b.WriteString(".SH EXIT STATUS\n")
	codes := regexp.MustCompile(`(?m)^\| (\d+) \| (.*) \|$`).FindAllStringSubmatch(guide, -1)
	if len(codes) < 10 {
		t.Fatalf("%d exit codes in %s", len(codes), referenceFile)
	}
	for _, m := range codes {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", m[1], roff(strings.ReplaceAll(m[2], "`", "")))
	}
	b.WriteString(`.SH SEE ALSO
.BR containers\-auth.json (5),
.BR containers\-certs.d (5),
.BR containers\-transports (5)
`)
	return b.String()
}

func writeManCommand(b *strings.Builder, c *command) {
	fmt.Fprintf(b, ".SS %s\n%s.\n.PP\n.B %s\n", roff(strings.TrimPrefix(c.usage(), "crane-bake ")), roff(c.short), roff(c.usage()))
	for part := range strings.SplitSeq(strings.TrimSpace(c.long), "\n\n") {
		switch {
		case part == "":
		case strings.HasPrefix(part, "  "): // an example
			fmt.Fprintf(b, ".PP\n.nf\n.RS\n%s\n.RE\n.fi\n", roff(regexp.MustCompile(`(?m)^  `).ReplaceAllString(part, "")))
		default:
			fmt.Fprintf(b, ".PP\n%s\n", roff(part))
		}
	}
	c.flagSet().VisitAll(func(f *pflag.Flag) {
		placeholder, usage := usageParts(f)
		spelled := `\fB\-\-` + roff(f.Name) + `\fR`
		if f.Shorthand != "" {
			spelled = `\fB\-` + f.Shorthand + `\fR, ` + spelled
		}
		if placeholder != "" {
			spelled += ` \fI` + roff(placeholder) + `\fR`
		}
		switch f.DefValue {
		case "", "0", "false", "[]":
		default:
			usage += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(b, ".TP\n%s\n%s\n", spelled, roff(usage))
	})
}

// roff writes text so that no character of it is a request or an escape.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	text = regexp.MustCompile(`(?m)^([.'])`).ReplaceAllString(text, `\&$1`)
	return regexp.MustCompile(`[^\x00-\x7f]`).ReplaceAllStringFunc(text, func(r string) string {
		return fmt.Sprintf(`\[u%04X]`, []rune(r)[0])
	})
}
