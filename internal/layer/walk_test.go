// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// outline has a line for each entry: a directory's name with a slash, a file's
// with its size.
func outline(list []layer.Entry) []string {
	var lines []string
	for _, e := range list {
		switch e.Type {
		case tar.TypeDir:
			lines = append(lines, e.Name+"/")
		case tar.TypeReg:
			lines = append(lines, e.Name+" "+string(rune('0'+e.Size)))
		default:
			lines = append(lines, e.Name+"?")
		}
	}
	return lines
}

// reversed lists directories backwards.
type reversed struct{ fstest.MapFS }

func (r reversed) ReadDir(name string) ([]fs.DirEntry, error) {
	list, err := r.MapFS.ReadDir(name)
	slices.Reverse(list)
	return list, err
}

func TestWalk(t *testing.T) {
	fsys := fstest.MapFS{
		"m/a/b":    {Data: []byte("12")},
		"m/a.txt":  {Data: []byte("1")},
		"m/a-c":    {},
		"m/Z":      {Data: []byte("123")},
		"m/none":   {Mode: fs.ModeDir | 0o700},
		"outside":  {},
		"m/a/.hid": {},
	}
	inM := []string{"a-c 0", "a.txt 1", "a/", "a/.hid 0", "a/b 2", "none/"}
	under := func(dest string) []string {
		lines := []string{dest + "/", dest + "/Z 3"}
		for _, l := range inM {
			lines = append(lines, dest+"/"+l)
		}
		return lines
	}
	// "a" is less than "a-c", so a directory need not stand next to what it
	// holds.
	sorted := func(lines []string) []string {
		slices.SortFunc(lines, func(a, b string) int {
			return strings.Compare(strings.TrimRight(a, "/ 0123"), strings.TrimRight(b, "/ 0123"))
		})
		return lines
	}
	for _, tt := range []struct {
		name, root, dest string
		want             []string
	}{
		{"directory", "m", "assets/m", sorted(under("assets/m"))},
		{"directory elsewhere", "m", "x", sorted(under("x"))},
		{"into the root", "m", "", sorted(append(slices.Clone(inM), "Z 3"))},
		{"file", "m/Z", "etc/z", []string{"etc/z 3"}},
		{"empty directory", "m/none", "n", []string{"n/"}},
		{"everything", ".", "all", sorted(append(under("all/m"), "all/", "all/outside 0"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, fsys := range []fs.FS{fsys, reversed{fsys}} {
				got, err := layer.Walk(fsys, tt.root, tt.dest)
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, outline(got)); diff != "" {
					t.Errorf("%T: %s", fsys, diff)
				}
			}
		})
	}
}

// plant makes a directory of what the map names: "-> TARGET" is a symbolic
// link, "/" a directory, other text a file's content.
func plant(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if target, ok := strings.CutPrefix(content, "-> "); ok && err == nil {
			err = os.Symlink(target, path)
		} else if content == "/" && err == nil {
			err = os.MkdirAll(path, 0o700)
		} else if err == nil {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func rootFS(t *testing.T, dir string) fs.FS {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root.FS()
}

func TestWalkLinks(t *testing.T) {
	dir := plant(t, map[string]string{
		"m/file":     "-> ../data/f",
		"m/dir":      "-> ../data",
		"m/twice":    "-> dir",
		"m/absent/x": "-> ../file",
		"data/f":     "123",
	})
	want := []string{
		"a/", "a/absent/", "a/absent/x 3", "a/dir/", "a/dir/f 3", "a/file 3", "a/twice/", "a/twice/f 3",
	}
	for name, fsys := range map[string]fs.FS{"os.Root": rootFS(t, dir), "os.DirFS": os.DirFS(dir)} {
		got, err := layer.Walk(fsys, "m", "a")
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, outline(got)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		l := newLayer(t, sequence(got...), layer.Options{})
		if _, err := l.Digest(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWalkProblems(t *testing.T) {
	dir := plant(t, map[string]string{
		"m/ok":            "x",
		"m/up":            "-> ../../secret",
		"m/absolute":      "-> /etc",
		"m/nowhere":       "-> missing",
		"m/self":          "-> self",
		"m/sub/loop":      "-> ..",
		"m/sub/.wh.model": "x",
	})
	_, err := layer.Walk(rootFS(t, dir), "m", "a")
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.Split(err.Error(), "\n")
	want := []string{
		`"m/absolute": symbolic link leads outside: `,
		`"m/nowhere": symbolic link to a missing file: `,
		`"m/self": `,
		`"m/sub/.wh.model": a name in .wh.* would delete files of the base image`,
		`"m/sub/loop": symbolic link leads back to a directory that holds it`,
		`"m/up": symbolic link leads outside: `,
	}
	if len(got) != len(want) {
		t.Fatalf("%d problems, want %d:\n%v", len(got), len(want), err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("problem %d: %s, want %s...", i, got[i], want[i])
		}
	}
}

// Without file identities a circle shows in its length only; two links in it
// must not double the work each time around.
func TestWalkCircleInMemory(t *testing.T) {
	fsys := fstest.MapFS{
		"m/x": {Data: []byte("."), Mode: fs.ModeSymlink},
		"m/y": {Data: []byte("."), Mode: fs.ModeSymlink},
	}
	_, err := layer.Walk(fsys, "m", "a")
	if err == nil || !strings.Contains(err.Error(), "more than 40 symbolic links on one path") {
		t.Errorf("got %v", err)
	}
}

func TestWalkMissing(t *testing.T) {
	_, err := layer.Walk(fstest.MapFS{}, "m", "a")
	if err == nil || !strings.Contains(err.Error(), `"m": `) {
		t.Errorf("got %v", err)
	}
}
