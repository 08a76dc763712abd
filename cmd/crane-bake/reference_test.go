// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write docs/cli.md's reference and the man page from the command table")

const (
	referenceFile  = "../../docs/cli.md"
	referenceStart = "<!-- made from the command table: go test ./cmd/crane-bake -update -->\n"
)

// TestReferenceIsCurrent keeps docs/cli.md and the command table together.
func TestReferenceIsCurrent(t *testing.T) {
	page, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	before, got, found := bytes.Cut(page, []byte(referenceStart))
	if !found {
		t.Fatalf("%s has no line %q", referenceFile, referenceStart)
	}
	want := reference()
	if *update {
		if err := os.WriteFile(referenceFile, append(append(before, referenceStart...), want...), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("run go test ./cmd/crane-bake -update (-want +got):\n%s", diff)
	}
}

// reference is the help of every command, in the order of the table.
func reference() []byte {
	var b bytes.Buffer
	for _, c := range commands() {
		fmt.Fprintf(&b, "\n### %s\n\n```\n", c.name)
		c.printHelp(&b)
		b.WriteString("```\n")
	}
	return b.Bytes()
}
