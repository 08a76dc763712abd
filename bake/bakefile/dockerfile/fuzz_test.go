// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile"
	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		published,
		"# escape=`\n# check=skip=all\nARG A=b\nFROM --platform=$TARGETPLATFORM a:${A%.*} AS x\n",
		"FROM a\nWORKDIR /x\nCOPY --chown=1:2 --chmod=644 --exclude=*.md dir *.txt <<A <<-\"B\" y/\n$A\nA\n\tb\nB\n",
		"FROM a\nADD [\"a.txt\", \"link\", \"/x/\"]\nCOPY ../a /x\nCOPY out loop /x/\n",
		"FROM a\nENV A=1 B='$A' C=\"${A:-${B//x/y}}\"\nENV D $A\nLABEL a=b c d\n",
		"FROM a\nEXPOSE 1-3/udp $A\nVOLUME [\"/a\"]\nUSER 1\nSTOPSIGNAL INT\nSHELL [\"a\"]\nCMD a\nENTRYPOINT [\"b\"]\n",
		"FROM a\nRUN <<A\nA\nONBUILD ONBUILD RUN a\nHEALTHCHECK NONE\nMAINTAINER a\n",
		"FROM a\nCOPY a \\\n\\\n# b\n\n b\nENV\nENV A\nCOPY <<A b",
		"# a\n# check=skip=all\nFROM a\n# check=error=true\nENV A=1",
		"\ufeffFROM\xff\x00",
	} {
		f.Add([]byte(seed), "b", "dir\n!dir/sub")
	}
	fsys := tree()
	f.Fuzz(func(t *testing.T, data []byte, arg, ignore string) {
		file, err := dockerfile.Parse(data, "Dockerfile")
		if err != nil {
			checkError(t, data, err)
			return
		}
		opts := dockerfile.Options{Context: fsys, BuildArgs: args{"A": arg}, Ignore: []byte(ignore)}
		image, _, err := file.From(opts)
		if err != nil {
			checkError(t, data, err)
		}
		spec, _, err := file.Spec(opts)
		var e *bakefile.Error
		switch {
		case err != nil && !errors.As(err, &e):
			return // the ignore file
		case err != nil:
			checkError(t, data, err)
			return
		case spec.Base != image || image == "":
			t.Errorf("base is %q, and %q in the spec", image, spec.Base)
		}
		checkCopies(t, spec)
		again, _, err := file.Spec(opts)
		if diff := cmp.Diff(copies(spec), copies(again)); err != nil || diff != "" {
			t.Fatalf("a second time: %v\n%s", err, diff)
		}
	})
}

// checkError wants problems on lines that the file has.
func checkError(t *testing.T, data []byte, err error) {
	var e *bakefile.Error
	if !errors.As(err, &e) || len(e.Problems) == 0 {
		t.Fatalf("error is %#v, want a *bakefile.Error with problems", err)
	}
	lines := bytes.Count(data, []byte("\n")) + 1
	for i, p := range e.Problems {
		if p.Line < 0 || p.Line > lines || p.Message == "" {
			t.Errorf("problem %+v in a file of %d lines", p, lines)
		}
		if i > 0 && p == e.Problems[i-1] {
			t.Errorf("problem %+v twice", p)
		}
	}
}

// checkCopies wants copies of what is in the context to absolute paths.
func checkCopies(t *testing.T, spec bake.Spec) {
	for _, c := range spec.Copies {
		if !path.IsAbs(c.Dest) || path.Clean(c.Dest) != c.Dest || c.Instruction == "" {
			t.Errorf("copy %+v", c)
		}
		fsys := c.FS
		if fsys == nil {
			fsys = spec.FS
		}
		if c.Path == "" {
			continue
		}
		info, err := fs.Lstat(fsys, c.Path)
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			t.Errorf("copy of %q: %v, %v", c.Path, info, err)
		}
	}
}
