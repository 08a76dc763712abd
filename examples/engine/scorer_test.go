// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

// The scorer example is complete as its Dockerfile builds it: what COPY names
// is what the variables bind.
func TestScorerExample(t *testing.T) {
	const dir = "../scorer"
	dockerfile, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err != nil {
		t.Fatal(err)
	}
	env, files := map[string]string{}, fstest.MapFS{}
	for line := range strings.Lines(string(dockerfile)) {
		words := strings.Fields(line)
		switch {
		case len(words) == 2 && words[0] == "ENV":
			name, value, _ := strings.Cut(words[1], "=")
			env[name] = strings.Trim(value, `"`)
		case len(words) > 2 && words[0] == "COPY":
			for _, name := range words[1 : len(words)-1] {
				content, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					t.Fatal(err)
				}
				files[strings.TrimPrefix(words[len(words)-1], "/")+name] = text(string(content))
			}
		}
	}
	report := inspectMap(env, files)
	if diff := cmp.Diff([]string{}, report.Problems); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
	if len(report.Schemas) != 2 || len(report.Streams) != 2 || len(files) != 5 {
		t.Errorf("%d schemas, %d streams, %d files, want 2, 2, 5", len(report.Schemas), len(report.Streams), len(files))
	}
}
