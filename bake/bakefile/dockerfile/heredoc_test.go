// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

func TestHeredoc(t *testing.T) {
	got := evaluate(t, `FROM a
ENV HOST=kafka
COPY <<a.json <<"b.json" <<-c.json /x/
{"host": "$HOST", 'quotes': "stay", "dollar": "\$HOST"}
a.json
{"host": "$HOST"}
b.json
		{
	}
	c.json
COPY <<EOF /y
EOF
`, dockerfile.Options{})
	want := []string{
		`{"host": "kafka", 'quotes': "stay", "dollar": "$HOST"}` + "\n",
		`{"host": "$HOST"}` + "\n",
		"{\n}\n",
		"",
	}
	if len(got.Copies) != len(want) {
		t.Fatalf("copies are %q", copies(got))
	}
	for i, c := range got.Copies {
		data, err := fs.ReadFile(c.FS, c.Path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want[i], string(data)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.Path, diff)
		}
		if info, err := fs.Stat(c.FS, c.Path); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: mode %v, %v", c.Path, info.Mode(), err)
		}
		if err := fstest.TestFS(c.FS, c.Path); err != nil {
			t.Error(err)
		}
		if c.Instruction == "" || c.Skip != nil {
			t.Errorf("%s: instruction %q", c.Path, c.Instruction)
		}
	}
	if _, err := fs.Stat(got.Copies[0].FS, "b.json"); err == nil {
		t.Error("a here-document holds another one")
	}
}
