// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

// copied is what a copy of a directory takes: a walk that leaves out what Skip
// says, with all that is in it.
func copied(t *testing.T, fsys fs.FS, c bake.Copy) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(fsys, c.Path, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case c.Skip != nil && c.Skip(name) && d.IsDir():
			return fs.SkipDir
		case c.Skip != nil && c.Skip(name) || name == c.Path:
			return nil
		}
		names = append(names, name)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// A caller may also ask about what is in a directory that it was told to
	// skip.
	err = fs.WalkDir(fsys, c.Path, func(name string, _ fs.DirEntry, err error) error {
		if kept := slices.Contains(names, name) || name == c.Path; c.Skip != nil && c.Skip(name) == kept {
			t.Errorf("skip %q: %t, but the walk says otherwise", name, !kept)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestIgnore(t *testing.T) {
	fsys := files("a.md", "b.txt", "d/a.md", "d/b.txt", "d/e/a.md", "d/e/b.txt", "f/a.md", "f/g/h.txt")
	all := []string{"a.md", "b.txt", "d", "d/a.md", "d/b.txt", "d/e", "d/e/a.md", "d/e/b.txt", "f", "f/a.md", "f/g", "f/g/h.txt"}
	for name, c := range map[string]struct {
		ignore string
		copy   string
		want   []string
	}{
		"nothing":             {"", "COPY . /x", all},
		"comments":            {"# *.md\n\n \n", "COPY . /x", all},
		"top only":            {"*.md", "COPY . /x", slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "a.md" })},
		"anywhere":            {"\ufeff**/*.md\r\n", "COPY . /x", slices.DeleteFunc(slices.Clone(all), func(s string) bool { return strings.HasSuffix(s, ".md") })},
		"directory":           {"/d/", "COPY . /x", []string{"a.md", "b.txt", "f", "f/a.md", "f/g", "f/g/h.txt"}},
		"everything but":      {"*\n!b.txt", "COPY . /x", []string{"b.txt"}},
		"everything but deep": {"*\n!d/e/b.txt\n!f/g", "COPY . /x", []string{"d", "d/e", "d/e/b.txt", "f", "f/g", "f/g/h.txt"}},
		"everything but **":   {"**\n!**/b.txt", "COPY . /x", []string{"b.txt", "d", "d/b.txt", "d/e", "d/e/b.txt"}},
		"last one wins":       {"*.md\n!a.md\na.*\n!b.txt", "COPY . /x", slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s == "a.md" })},
		"exception again out": {"d\n!d/e\nd/e/a.md", "COPY . /x", []string{"a.md", "b.txt", "d", "d/e", "d/e/b.txt", "f", "f/a.md", "f/g", "f/g/h.txt"}},
		"below a source":      {"d/e\n*/a.md", "COPY d /x", []string{"d/b.txt"}},
		"whole source but":    {"d\n!d/e/b.txt", "COPY d /x", []string{"d/e", "d/e/b.txt"}},
		"exclude":             {"", "COPY --exclude=*.md --exclude=e/b.txt d /x", []string{"d/b.txt", "d/e", "d/e/a.md"}},
		"exclude all":         {"", "COPY --exclude=* d /x", nil},
		"exclude but":         {"", "COPY --exclude=* --exclude=!e/a.md d /x", []string{"d/e", "d/e/a.md"}},
		"exclude at the top":  {"", "COPY --exclude=d --exclude=*/a.md . /x", []string{"a.md", "b.txt", "f", "f/g", "f/g/h.txt"}},
		"ignore and exclude":  {"**/*.md\n!d/e/a.md", "COPY --exclude=*.txt d /x", []string{"d/e", "d/e/a.md", "d/e/b.txt"}},
		"unknown names":       {"nowhere", "COPY . /x", all},
	} {
		t.Run(name, func(t *testing.T) {
			opts := dockerfile.Options{Context: fsys, Ignore: []byte(c.ignore)}
			got := evaluate(t, "FROM a\n"+c.copy, opts)
			if diff := cmp.Diff(c.want, copied(t, fsys, got.Copies[0])); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestIgnoredSources(t *testing.T) {
	fsys := files("a.md", "b.txt", "d/a.md", "e/a.md")
	fsys["link"] = &fstest.MapFile{Data: []byte("a.md"), Mode: fs.ModeSymlink}
	opts := dockerfile.Options{Context: fsys, Ignore: []byte("*.md\ne\n")}
	got := evaluate(t, "FROM a\nCOPY [a-e]* /x/", opts)
	// A link in a pattern is found, but what it leads to is not.
	if got := problems(t, "FROM a\nCOPY lin* /x/", opts); len(got) != 1 {
		t.Errorf("link to an ignored file: %q", got)
	}
	if diff := cmp.Diff([]string{"b.txt -> /x/b.txt", "d -> /x"}, copies(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestIgnoreFile(t *testing.T) {
	both := files("a", "b")
	both[".dockerignore"] = &fstest.MapFile{Data: []byte("a")}
	both["prod.Dockerfile.dockerignore"] = &fstest.MapFile{Data: []byte("b")}
	one := maps.Clone(both)
	delete(one, "prod.Dockerfile.dockerignore")
	for name, c := range map[string]struct {
		fsys   fs.FS
		ignore []byte
		want   string
	}{
		"the Dockerfile's own":    {both, nil, `source "b" is excluded by prod.Dockerfile.dockerignore`},
		"the context's":           {one, nil, `source "a" is excluded by .dockerignore`},
		"given":                   {one, []byte("b"), `source "b" is excluded by prod.Dockerfile.dockerignore`},
		"given, without patterns": {both, []byte{}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := dockerfile.Parse([]byte("FROM a\nCOPY a b /x/"), "docker/prod.Dockerfile")
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = f.Spec(dockerfile.Options{Context: c.fsys, Ignore: c.ignore})
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want == "":
			case !errors.Is(err, fs.ErrNotExist) || err.Error() != "docker/prod.Dockerfile:2: "+c.want:
				t.Errorf("error is %v, want %s", err, c.want)
			}
		})
	}
}

func TestIgnoreFileProblems(t *testing.T) {
	f, err := dockerfile.Parse([]byte("FROM a"), "Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]string{
		"a\n[":                       `reading ignore file ".dockerignore": syntax error in pattern`,
		"a\n!":                       `reading ignore file ".dockerignore": illegal exclusion pattern: "!"`,
		strings.Repeat("a", 1<<20+1): `reading ignore file ".dockerignore": it is larger than 1048576 bytes`,
	} {
		fsys := fstest.MapFS{".dockerignore": {Data: []byte(content)}}
		if _, _, err := f.Spec(dockerfile.Options{Context: fsys}); err == nil || err.Error() != want {
			t.Errorf("%s: error is %v, want %s", clipped(content), err, want)
		}
	}
}

// TestSkipConcurrently is for the race detector.
func TestSkipConcurrently(t *testing.T) {
	fsys := files("d/a.md", "d/b.txt")
	got := evaluate(t, "FROM a\nCOPY d /x", dockerfile.Options{Context: fsys, Ignore: []byte("**/*.md\n!**/b.*")})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if skip := got.Copies[0].Skip; !skip("d/a.md") || skip("d/b.txt") {
				t.Error("wrong when called concurrently")
			}
		})
	}
	wg.Wait()
}
