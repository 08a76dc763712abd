// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft_test

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/crane-bake/crane-bake/bake/bakefile"
)

// testdata has whole drafts: directories, and the bake file for each.
func TestContent(t *testing.T) {
	for _, name := range []string{"decided", "open"} {
		t.Run(name, func(t *testing.T) {
			ar, err := txtar.ParseFile("testdata/" + name + ".txtar")
			if err != nil {
				t.Fatal(err)
			}
			all := files{}
			for _, f := range ar.Files {
				all[f.Name] = string(f.Data)
			}
			want := all["bake.yaml"]
			delete(all, "bake.yaml")
			d := newDraft(t, all.fs(), ".")
			if diff := cmp.Diff(want, string(d.Content)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Every open line becomes part of the bake file when its comment mark is
// removed and a file's name put in.
func TestOpenLines(t *testing.T) {
	for name, all := range map[string]files{
		"all":    {"a.py3": model, "b.py3": model},
		"both":   {"model.py3": model},
		"schema": {"model.py3": model, "in.avsc": record, "0.json": rest},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDraft(t, all.fs(), ".")
			lines := strings.Split(string(d.Content), "\n")
			for i, line := range lines {
				if line == "# schemas:" || line == "# streams:" {
					lines[i] = strings.TrimPrefix(line, "# ")
				}
			}
			for _, q := range d.Questions {
				line := lines[q.Line-1]
				if !strings.HasSuffix(line, q.Text) {
					t.Fatalf("line %d is %q, not about %q", q.Line, line, q.Text)
				}
				lines[q.Line-1] = strings.Replace(strings.Replace(line, "# ", "", 1), "FILE", "filled.in", 1)
			}
			content := strings.Join(lines, "\n")
			if _, err := bakefile.Parse([]byte(content), "bake.yaml", bakefile.Options{}); err != nil {
				t.Fatalf("%v\n%s", err, content)
			}
			if n := strings.Count(content, ": filled.in"); n != len(d.Questions) || n == 0 {
				t.Errorf("%d lines were filled in, %d are open\n%s", n, len(d.Questions), content)
			}
		})
	}
}

func FuzzDraft(f *testing.F) {
	f.Add("in.avsc", record, "rest.json", rest, model)
	f.Add("a b", "x", "$x.zip", "x", "# fastscore.schema.0: null\n"+action)
	f.Fuzz(func(t *testing.T, name1, content1, name2, content2, model string) {
		all := files{"model.py3": model}
		for name, content := range map[string]string{name1: content1, name2: content2} {
			if fs.ValidPath(name) && name != "." && !strings.HasPrefix(name, "model.py3/") && !strings.HasPrefix(name1, name2+"/") && !strings.HasPrefix(name2, name1+"/") {
				all[name] = content
			}
		}
		parse(t, newDraft(t, all.fs(), "."))
	})
}
