// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		contract, fleet,
		"model: m\n---\n",
		"\ufeffmodel: &m m.py3\nassets: [*m, a=b]\n",
		"model: !!str m\nlabels: {<<: {a: b}}\n",
		"a: &a [*a]\n",
		"model: \"${A:-${B:-x}}\"\nenv: {A: $$, B: '${A:?${B}}'}\n",
		"env:\n\tA: b\n",
		"[",
		"? [a]\n: b\n",
		"# c\nmodel: m # c\n# c\n\n# c\nenv: # c\n  # c\n  A: b\n# c\n",
		"model: |\n  m\nbase: >-\n  a\n  b\n",
		"%YAML 1.1\n---\n{model: \"\\u2028\"}\n...\n",
	} {
		f.Add([]byte(seed), "prod", "alpha")
		f.Add([]byte(seed), "", "")
	}
	lookup := environ("A=a", "EMPTY=", "VERSION=1", "TOKEN=t", "PARENT=../..")
	f.Fuzz(func(t *testing.T, data []byte, profile, name string) {
		opts := bakefile.Options{Profile: profile, LookupEnv: lookup}
		if name != "" {
			opts.Names = []string{name}
		}
		bakes, err := bakefile.Parse(data, "dir/bake.yaml", opts)
		if err != nil {
			checkError(t, data, err)
			return
		}
		if len(bakes) == 0 {
			t.Fatal("neither bakes nor an error")
		}
		for _, b := range bakes {
			checkPaths(t, b)
		}
		again, err := bakefile.Parse(data, "dir/bake.yaml", opts)
		if diff := cmp.Diff(bakes, again); err != nil || diff != "" {
			t.Fatalf("a second time: %v\n%s", err, diff)
		}
	})
}

// checkError wants problems in places that the file has.
func checkError(t *testing.T, data []byte, err error) {
	var e *bakefile.Error
	if !errors.As(err, &e) || len(e.Problems) == 0 {
		t.Fatalf("error is %#v, want an *Error with problems", err)
	}
	// YAML 1.1 has five line breaks; the empty line after the last counts.
	lines := bytes.Count(data, []byte("\n")) + bytes.Count(data, []byte("\r")) + bytes.Count(data, []byte("\u0085")) +
		bytes.Count(data, []byte("\u2028")) + bytes.Count(data, []byte("\u2029")) + 1
	for i, p := range e.Problems {
		if p.Line < 0 || p.Line > lines || p.Column < 0 || p.Message == "" {
			t.Errorf("problem %+v in a file of %d lines", p, lines)
		}
		if i > 0 && p == e.Problems[i-1] {
			t.Errorf("problem %+v twice", p)
		}
	}
}

// checkPaths wants every path of a bake of dir/bake.yaml inside dir.
func checkPaths(t *testing.T, b bakefile.Bake) {
	paths := append([]string{b.Spec.Model}, b.Spec.Attachments...)
	for _, p := range b.Spec.Schemas {
		paths = append(paths, p)
	}
	for _, p := range b.Spec.Streams {
		paths = append(paths, p)
	}
	for p := range b.Spec.Unpack {
		paths = append(paths, p)
	}
	for _, a := range b.Spec.Assets {
		paths = append(paths, a.Path)
	}
	for _, p := range paths {
		if !fs.ValidPath(p) || p != "dir" && !strings.HasPrefix(p, "dir/") {
			t.Errorf("path %q of bake %q is not below dir", p, b.Name)
		}
	}
}
