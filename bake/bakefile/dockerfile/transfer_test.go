// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile_test

import (
	"fmt"
	"io/fs"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake/bakefile/dockerfile"
)

func tree() fstest.MapFS {
	fsys := files("a.txt", "b.txt", "c d.txt", "arr[0].txt", "dir/a.txt", "dir/sub/b.txt", "dir/sub/deep/c.md", "other/a.txt")
	maps.Copy(fsys, fstest.MapFS{
		"link":           {Data: []byte("a.txt"), Mode: fs.ModeSymlink},
		"dirlink":        {Data: []byte("/dir/sub"), Mode: fs.ModeSymlink},
		"chain":          {Data: []byte("dirlink/../../link"), Mode: fs.ModeSymlink},
		"dir/sub/inner":  {Data: []byte("b.txt"), Mode: fs.ModeSymlink},
		"other/up":       {Data: []byte("../dir"), Mode: fs.ModeSymlink},
		"out":            {Data: []byte("../../etc"), Mode: fs.ModeSymlink},
		"loop":           {Data: []byte("loop"), Mode: fs.ModeSymlink},
		"dangling":       {Data: []byte("nowhere"), Mode: fs.ModeSymlink},
		"socket":         {Mode: fs.ModeSocket},
		"dir/executable": {Mode: 0o755},
	})
	return fsys
}

func TestCopy(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"to a name":              {"COPY a.txt /x/y", []string{"a.txt -> /x/y"}},
		"to a directory":         {"COPY a.txt /x/", []string{"a.txt -> /x/a.txt"}},
		"to a dot":               {"COPY a.txt /x/.", []string{"a.txt -> /x/a.txt"}},
		"to the root":            {"COPY a.txt /", []string{"a.txt -> /a.txt"}},
		"unclean":                {"COPY ./dir//../a.txt /x//../y/", []string{"a.txt -> /y/a.txt"}},
		"from the root":          {"COPY /a.txt dir/a.txt/ /x/", []string{"a.txt -> /x/a.txt", "dir/a.txt -> /x/a.txt"}},
		"several":                {"COPY a.txt b.txt /x/", []string{"a.txt -> /x/a.txt", "b.txt -> /x/b.txt"}},
		"JSON":                   {`COPY ["c d.txt", "/x y/"]`, []string{"c d.txt -> /x y/c d.txt"}},
		"expanded":               {"ENV A=a B=/x\nCOPY ${A}.txt $B/$A", []string{"a.txt -> /x/a"}},
		"directory":              {"COPY dir /x", []string{"dir -> /x"}},
		"directory, slashes":     {"COPY dir/ /x/", []string{"dir -> /x"}},
		"everything":             {"COPY . /x", []string{". -> /x"}},
		"everything, slash":      {"COPY / /x", []string{". -> /x"}},
		"directories":            {"COPY dir other /x", []string{"dir -> /x", "other -> /x"}},
		"directory, then file":   {"COPY dir a.txt /x", []string{"dir -> /x", "a.txt -> /x/a.txt"}},
		"pattern":                {"COPY *.txt /x/", []string{"a.txt -> /x/a.txt", "arr[0].txt -> /x/arr[0].txt", "b.txt -> /x/b.txt", "c d.txt -> /x/c d.txt"}},
		"pattern, one":           {"COPY ?.txt dir/e* /x/", []string{"a.txt -> /x/a.txt", "b.txt -> /x/b.txt", "dir/executable -> /x/executable"}},
		"pattern, one to name":   {"COPY dir/e* /x", []string{"dir/executable -> /x"}},
		"pattern, none":          {"COPY a.txt no*such /x/", []string{"a.txt -> /x/a.txt"}},
		"pattern, inside":        {"COPY */sub/*.txt /x/", []string{"dir/sub/b.txt -> /x/b.txt"}},
		"pattern, not past /":    {"COPY dir/*/c.md /x/", nil},
		"pattern, directory":     {"COPY d*r /x", []string{"dir -> /x"}},
		"pattern, below link":    {"COPY dirlink/*.txt /x/", []string{"dir/sub/b.txt -> /x/b.txt"}},
		"pattern, escaped":       {"COPY arr[[]0].txt /x/", []string{"arr[0].txt -> /x/arr[0].txt"}},
		"pattern, link":          {"COPY lin* /x/", []string{"a.txt -> /x/link"}},
		"link":                   {"COPY link /x/", []string{"a.txt -> /x/link"}},
		"link to a directory":    {"COPY dirlink /x", []string{"dir/sub -> /x"}},
		"link on the way":        {"COPY other/up/sub/b.txt /x/", []string{"dir/sub/b.txt -> /x/b.txt"}},
		"link over links":        {"COPY chain /x/", []string{"a.txt -> /x/chain"}},
		"owner":                  {"COPY --chown=1000 a.txt /x", []string{"a.txt -> /x 1000:1000"}},
		"owner and group":        {"COPY --chown=1000:10 a.txt /x", []string{"a.txt -> /x 1000:10"}},
		"owner and colon":        {"COPY --chown=1000: a.txt /x", []string{"a.txt -> /x 1000:1000"}},
		"owner root":             {"ARG U=root\nADD --chown=$U:root a.txt /x", []string{"a.txt -> /x 0:0"}},
		"mode":                   {"ARG M=640\nCOPY --chmod=$M a.txt /x", []string{"a.txt -> /x -rw-r-----"}},
		"mode with more":         {"COPY --chmod=7755 a.txt /x", []string{"a.txt -> /x ugtrwxr-xr-x"}},
		"link option":            {"COPY --link a.txt /x", []string{"a.txt -> /x"}},
		"no parents":             {"COPY --parents=false a.txt /x", []string{"a.txt -> /x"}},
		"to a base's directory":  {"COPY a.txt /tmp", []string{"a.txt -> /tmp/a.txt"}},
		"to a made directory":    {"COPY a.txt /x/y/z\nCOPY b.txt /x/y\nCOPY b.txt /x", []string{"a.txt -> /x/y/z", "b.txt -> /x/y/b.txt", "b.txt -> /x/b.txt"}},
		"to a copied directory":  {"COPY dir /x\nCOPY a.txt /x/sub/deep\nCOPY a.txt /x/a.txt", []string{"dir -> /x", "a.txt -> /x/sub/deep/a.txt", "a.txt -> /x/a.txt"}},
		"to the top of a copy":   {"COPY dir /\nCOPY a.txt /sub", []string{"dir -> /", "a.txt -> /sub/a.txt"}},
		"to the working dir":     {"WORKDIR /x\nCOPY a.txt .\nCOPY a.txt /x\nCOPY a.txt b/c\nCOPY a.txt ..", []string{" -> /x", "a.txt -> /x/a.txt", "a.txt -> /x/a.txt", "a.txt -> /x/b/c", "a.txt -> /a.txt"}},
		"to an empty name":       {`COPY ["a.txt", ""]`, []string{"a.txt -> /fastscore/a.txt"}},
		"WORKDIR":                {"WORKDIR /x/y\nWORKDIR ../y\nWORKDIR /x\nWORKDIR /tmp\nWORKDIR /", []string{" -> /x/y"}},
		"WORKDIR of a user":      {"USER 1000:10\nWORKDIR /x", []string{" -> /x 1000:10"}},
		"WORKDIR of a name":      {"USER fastscore\nWORKDIR /x", []string{" -> /x"}},
		"excluded file":          {"COPY --exclude=*.txt link /x", []string{"a.txt -> /x"}},
		"excluded in a pattern":  {"COPY --exclude=a* --exclude=c* *.txt /x/", []string{"b.txt -> /x/b.txt"}},
		"ADD":                    {"ADD a.txt dir /x/", []string{"a.txt -> /x/a.txt", "dir -> /x"}},
		"here-document":          {"COPY <<A.json /x/\n{}\nA.json", []string{"A.json -> /x/A.json"}},
		"here-document to name":  {"COPY --chmod=600 --chown=1 <<A /x\n{}\nA", []string{"A -> /x 1:1 -rw-------"}},
		"here-documents, a file": {"ADD <<A a.txt <<B /x/\n1\nA\n2\nB", []string{"a.txt -> /x/a.txt", "A -> /x/A", "B -> /x/B"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := evaluate(t, "FROM a\n"+c.text, dockerfile.Options{Context: tree()})
			if diff := cmp.Diff(c.want, copies(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestCopyNeedsBase(t *testing.T) {
	for text, want := range map[string]bool{
		"COPY a.txt /x/y":                  false,
		"COPY a.txt .":                     true,
		"COPY a.txt x/y":                   true,
		"USER 1\nWORKDIR /x\nCOPY a.txt .": false,
		"WORKDIR /x":                       true, // whose is it?
	} {
		base := &dockerfile.BaseConfig{WorkingDir: "/work", User: "7"}
		got, needsBase := evaluateBase(t, "FROM a\n"+text, dockerfile.Options{Context: tree(), Base: base})
		if needsBase != want {
			t.Errorf("%q: needs base: %t", text, needsBase)
		}
		if text == "COPY a.txt ." && got.Copies[0].Dest != "/work/a.txt" {
			t.Errorf("%q: copies %q", text, copies(got))
		}
		if text == "WORKDIR /x" && got.Copies[0].Owner.UID != 7 {
			t.Errorf("%q: copies %q", text, copies(got))
		}
	}
}

func TestCopyInstruction(t *testing.T) {
	got := evaluate(t, "FROM a\n  COPY --chmod=0644  a.txt \\\n# why\n   b.txt /x/  \nworkdir /y", dockerfile.Options{Context: tree()})
	want := []string{"COPY --chmod=0644  a.txt    b.txt /x/", "COPY --chmod=0644  a.txt    b.txt /x/", "workdir /y"}
	for i, c := range got.Copies {
		if c.Instruction != want[i] {
			t.Errorf("copy %d has instruction %q, want %q", i, c.Instruction, want[i])
		}
	}
}

func TestCopyProblems(t *testing.T) {
	for text, want := range map[string]string{
		"COPY no.txt /x":           `source "no.txt" is not in the build context (did you mean "a.txt"?)`,
		"COPY dir/sub/b.tx /x":     `source "dir/sub/b.tx" is not in the build context (did you mean "dir/sub/b.txt"?)`,
		"COPY nodir/a.txt /x":      `source "nodir/a.txt" is not in the build context`,
		"COPY nodir/*.txt /x":      `source "nodir" is not in the build context`,
		"COPY dangling /x":         `source "dangling" is a symbolic link to nothing in the build context`,
		"COPY ../a.txt /x":         `source "../a.txt" leads out of the build context (choose a wider context with --context, or move the file)`,
		"COPY /../a.txt /x":        `source "/../a.txt" leads out of the build context (choose a wider context with --context, or move the file)`,
		"COPY dir/../../*.txt /x":  `source "dir/../../*.txt" leads out of the build context (choose a wider context with --context, or move the file)`,
		"COPY out /x":              `source "out" is a symbolic link that leads out of the build context`,
		"COPY loop /x":             `source "loop" leads through more than 40 symbolic links`,
		"COPY socket /x":           `source "socket" is neither a file nor a directory`,
		"COPY [a /x":               `source "[a": syntax error in pattern`,
		"COPY a.txt b.txt /x":      `COPY of several files: the destination "/x" is not known to be a directory (write "/x/")`,
		"ADD ?.txt /x":             `ADD of several files: the destination "/x" is not known to be a directory (write "/x/")`,
		"COPY a.txt <<A /x\nA":     `COPY of several files: the destination "/x" is not known to be a directory (write "/x/")`,
		"COPY <<a/b /x\na/b":       `here-document "a/b": want the name of a file`,
		"COPY <<.. /x\n..":         `here-document "..": want the name of a file`,
		"COPY https://a/b /x":      `COPY of a URL is not possible, in Docker neither (download it before the bake and check its digest, then COPY or ADD the file)`,
		"COPY --chmod=8 a.txt /x":  `mode "8": want octal digits from 0 to 7777`,
		"COPY --chmod=10000 a /x":  `mode "10000": want octal digits from 0 to 7777`,
		"COPY --exclude=[ a.txt x": `--exclude: syntax error in pattern`,
		"COPY a.txt /" + long:      `path "/` + long[:59] + `"... is longer than 4096 bytes`,
		"COPY " + long + " /x":     `source "` + long[:60] + `"... is not a path`,
	} {
		t.Run(clipped(text), func(t *testing.T) {
			got := problems(t, "FROM a\n"+text, dockerfile.Options{Context: tree()})
			if diff := cmp.Diff([]string{"2: " + want}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	if got := problems(t, "FROM a\nCOPY a b", dockerfile.Options{}); len(got) != 1 {
		t.Errorf("without a context: %q", got)
	}
}

// unreadable has a file that is there but cannot be opened.
type unreadable struct{ fstest.MapFS }

func (u unreadable) Open(name string) (fs.File, error) {
	if name == "secret" {
		return nil, &fs.PathError{Op: "open", Path: "/host/secret", Err: fs.ErrPermission}
	}
	return u.MapFS.Open(name)
}

func TestUnreadable(t *testing.T) {
	fsys := unreadable{files("secret")}
	if got := copies(evaluate(t, "FROM a\nCOPY secret /x", dockerfile.Options{Context: fsys})); len(got) != 1 {
		t.Errorf("COPY, which need not look inside: %q", got)
	}
	want := []string{fmt.Sprintf(`2: source "secret": %v`, fs.ErrPermission)}
	if diff := cmp.Diff(want, problems(t, "FROM a\nADD secret /x", dockerfile.Options{Context: fsys})); diff != "" {
		t.Errorf("ADD, which must (-want +got):\n%s", diff)
	}
}
