// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"archive/tar"
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// tarOfHeaders is a tar of headers; files have their names as content.
func tarOfHeaders(t testing.TB, headers ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := ""
		if h.Typeflag == tar.TypeReg && h.Size == 0 {
			content = h.Name
			h.Size = int64(len(content))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// copyFiles is what the bakes of copies below name.
func copyFiles(t testing.TB) fstest.MapFS {
	files := scorerFiles()
	for _, f := range files {
		f.Mode = 0o644
	}
	files["app"] = &fstest.MapFile{Mode: fs.ModeDir | 0o700}
	files["app/run"] = &fstest.MapFile{Data: []byte("#!"), Mode: 0o755}
	files["app/sub/x"] = &fstest.MapFile{Data: []byte("x"), Mode: 0o644}
	files["app/empty"] = &fstest.MapFile{Mode: fs.ModeDir | 0o755}
	files["secret/key"] = &fstest.MapFile{Data: []byte("k"), Mode: 0o600}
	files["secret/link"] = &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink | 0o777}
	files["secret/set"] = &fstest.MapFile{Data: []byte("s"), Mode: fs.ModeSetuid | 0o755}
	files["secret/dir"] = &fstest.MapFile{Mode: fs.ModeDir | fs.ModeSticky | 0o777}
	files["one/alone"] = &fstest.MapFile{Data: []byte("1"), Mode: 0o644}
	files["two/a"] = &fstest.MapFile{Data: []byte("1"), Mode: 0o644}
	files["two/b"] = &fstest.MapFile{Data: []byte("1"), Mode: 0o644}
	files["links/link"] = &fstest.MapFile{Data: []byte("../x"), Mode: fs.ModeSymlink | 0o777}
	files["dir.tar"] = &fstest.MapFile{Data: tarOfHeaders(t,
		tar.Header{Name: "z/", Typeflag: tar.TypeDir, Mode: 0o750, Uid: 5, Gid: 6},
		tar.Header{Name: "z/f", Typeflag: tar.TypeReg, Mode: 0o640, Uid: 5, Gid: 6},
		tar.Header{Name: "a", Typeflag: tar.TypeReg, Mode: 0o4755},
		tar.Header{Name: "hard", Typeflag: tar.TypeLink, Linkname: "z/f"},
		tar.Header{Name: "out", Typeflag: tar.TypeSymlink, Linkname: "../../../etc"},
		tar.Header{Name: "n/m/file", Typeflag: tar.TypeReg, Mode: 0o600},
	)}
	files["single.tar"] = &fstest.MapFile{Data: tarOfHeaders(t, tar.Header{Name: "only", Typeflag: tar.TypeReg, Mode: 0o600})}
	return files
}

// contractOf binds what the bakes of copies have at /opt/scorer.
var contractOf = map[string]string{
	"MODEL": "/opt/scorer/model.py3", "SCHEMAS": "input:/opt/scorer/input.avsc;output:/opt/scorer/output.avsc",
	"STREAMS": "0:/opt/scorer/rest.json;1:/opt/scorer/kafka.json",
}

// boundCopies copy the files that contractOf binds.
func boundCopies() []bake.Copy {
	var all []bake.Copy
	for _, name := range []string{"model.py3", "input.avsc", "output.avsc", "rest.json", "kafka.json"} {
		all = append(all, copyOf(name, "/opt/scorer/"+name))
	}
	return all
}

func unpackOf(source, dest string) bake.Copy {
	c := copyOf(source, dest)
	c.Unpack = true
	return c
}

// A bake of copies, such as a Dockerfile's, comes back as it was.
func TestRoundTripOfCopies(t *testing.T) {
	mode := fs.FileMode(0o400)
	withMode := owned(copyOf("app", "/opt/app"), 7)
	withMode.Mode = &mode
	for _, tc := range []struct {
		name   string
		change func(*bake.Spec)
		files  []string // on disk, beside the bound ones
	}{
		{"bound files", func(*bake.Spec) {}, nil},
		{"in another order", func(s *bake.Spec) { slices.Reverse(s.Copies) }, nil},
		{"of another user", func(s *bake.Spec) {
			for i := range s.Copies {
				s.Copies[i] = owned(s.Copies[i], 1000)
			}
			s.Settings = bake.Settings{User: "1000:1000", Entrypoint: []string{"/fastscore/startup.sh"}, Cmd: []string{}}
		}, nil},
		{"a directory of theirs", func(s *bake.Spec) {
			s.Copies = []bake.Copy{owned(copyOf(".", "/opt/scorer"), 1000)}
			s.Copies[0].Skip = func(name string) bool { return !slices.Contains(scorerNames, name) }
		}, nil},
		{"a tree", func(s *bake.Spec) { s.Copies = append(s.Copies, copyOf("app", "/opt/app")) }, []string{"app/empty/", "app/run", "app/sub/x"}},
		{"a tree of another user", func(s *bake.Spec) { s.Copies = append(s.Copies, owned(copyOf("app", "/opt/deep/er/app"), 7)) }, []string{"app/empty/", "app/run", "app/sub/x"}},
		{"a tree with a mode", func(s *bake.Spec) { s.Copies = append(s.Copies, withMode) }, []string{"app.tar"}},
		{"a tree with links and modes", func(s *bake.Spec) { s.Copies = append(s.Copies, copyOf("secret", "/opt/secret")) }, []string{"secret.tar"}},
		{"a tree into a directory of the base", func(s *bake.Spec) { s.Copies = append(s.Copies, copyOf("one", "/tmp")) }, []string{"alone"}},
		{"a link into a directory of the base", func(s *bake.Spec) { s.Copies = append(s.Copies, copyOf("links", "/tmp")) }, []string{"link.tar"}},
		{"files into a directory of the base", func(s *bake.Spec) { s.Copies = append(s.Copies, copyOf("two", "/tmp")) }, []string{"tmp/a", "tmp/b"}},
		{"trees upon each other", func(s *bake.Spec) {
			s.Copies = append(s.Copies, owned(copyOf("app", "/opt/x"), 7), copyOf("secret", "/opt/x"), copyOf("app", "/opt/x/sub"), copyOf("app/run", "/opt/x/key"))
		}, []string{"key", "sub.tar", "x.tar"}},
		{"directories", func(s *bake.Spec) {
			s.Copies = append(s.Copies, owned(bake.Copy{Dest: "/var/scores/deep"}, 7), bake.Copy{Dest: "/opt/app", Mode: &mode}, copyOf("one", "/opt/app"))
		}, []string{"app/alone"}},
		{"an archive", func(s *bake.Spec) { s.Copies = append(s.Copies, unpackOf("dir.tar", "/opt/app")) }, []string{"app.tar"}},
		{"an archive of one", func(s *bake.Spec) { s.Copies = append(s.Copies, unpackOf("single.tar", "/opt/app")) }, []string{"app.tar"}},
		{"archives and a tree", func(s *bake.Spec) {
			s.Copies = append(s.Copies, unpackOf("dir.tar", "/opt/zz"), copyOf("app", "/opt/zz/sub"), unpackOf("dir.tar", "/opt/app"), copyOf("one", "/opt/zz"))
		}, nil},
		{"an archive at the root", func(s *bake.Spec) { s.Copies = append(s.Copies, unpackOf("dir.tar", "/")) }, []string{"root.tar"}},
		{"classes", func(s *bake.Spec) {
			s.Layers = bake.LayersClass
			s.Copies = append(s.Copies, unpackOf("dir.tar", "/opt/scorer"), copyOf("app", "/opt/scorer"))
		}, nil},
	} {
		for _, base := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Docker: base}))
				spec := bake.Spec{
					FS: copyFiles(t), Base: srv.Host + "/team/base:1", Tags: []string{srv.Host + "/team/scorer:1"},
					Copies: boundCopies(), Env: contractOf,
				}
				tc.change(&spec)
				doBake(t, spec)
				out := roundTrip(t, srv.Host+"/team/scorer:1", srv.Host+"/team/again:1", bake.ExtractOptions{})
				if tc.files == nil {
					return
				}
				var got []string
				for name := range treeOnDisk(t, filepath.Dir(out.BakeFile)) {
					if !slices.Contains(scorerNames, name) && name != bake.BakeFileName {
						got = append(got, name)
					}
				}
				slices.Sort(got)
				if diff := cmp.Diff(tc.files, got); diff != "" {
					t.Errorf("files (-want +got):\n%s", diff)
				}
			})
		}
	}
}

var scorerNames = []string{"input.avsc", "kafka.json", "model.py3", "output.avsc", "rest.json"}

// A bake of copies that does what a usual one does is extracted as that.
func TestExtractOfUsualCopies(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	spec := bake.Spec{
		FS: copyFiles(t), Base: srv.Host + "/team/base:1", Tags: []string{srv.Host + "/team/scorer:1"}, AssetsDir: "/opt/scorer",
		Copies: boundCopies(), Env: contractOf,
	}
	doBake(t, spec)
	out := roundTrip(t, srv.Host+"/team/scorer:1", srv.Host+"/team/again:1", bake.ExtractOptions{})
	got := loadBake(t, filepath.Dir(out.BakeFile))
	if len(got.Copies) > 0 || got.Model != "model.py3" || got.Schemas["input"] != "input.avsc" || got.Streams[1] != "kafka.json" || len(got.Env) > 0 {
		t.Errorf("got %+v", got)
	}
}

// What a copy of a tree's tar makes is what a copy of the tree does.
func TestCopyOfATree(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	files := copyFiles(t)
	files["app.tar"] = &fstest.MapFile{Data: tarOfHeaders(t,
		tar.Header{Name: "sub/", Typeflag: tar.TypeDir, Mode: 0o555},
		tar.Header{Name: "sub/x", Typeflag: tar.TypeReg, Mode: 0o644},
		tar.Header{Name: "run", Typeflag: tar.TypeReg, Mode: 0o755},
		tar.Header{Name: "empty", Typeflag: tar.TypeDir, Mode: 0o755},
	)}
	files["app/run"].Data, files["app/sub/x"].Data = []byte("run"), []byte("sub/x")
	files["app/sub"] = &fstest.MapFile{Mode: fs.ModeDir | 0o555}
	tree := copyOf("app.tar", "/opt/app")
	tree.Tree = true
	var digests []string
	for _, c := range []bake.Copy{copyOf("app", "/opt/app"), tree} {
		report := doBake(t, bake.Spec{
			FS: files, Base: srv.Host + "/team/base:1", Tags: []string{srv.Host + "/team/scorer:1"},
			Copies: append(boundCopies(), c), Env: contractOf,
		})
		digests = append(digests, report.Digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("digests %q", digests)
	}
}

// The tars of an extraction are what it says, on disk as well.
func TestExtractedTarsStay(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	doBake(t, bake.Spec{
		FS: copyFiles(t), Base: srv.Host + "/team/base:1", Tags: []string{srv.Host + "/team/scorer:1"},
		Copies: append(boundCopies(), copyOf("secret", "/opt/secret")), Env: contractOf,
	})
	_, dir := extract(t, srv.Host+"/team/scorer:1", bake.ExtractOptions{})
	f, err := os.Open(filepath.Join(dir, "secret.tar"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var got []string
	r := tar.NewReader(f)
	for h, err := r.Next(); err == nil; h, err = r.Next() {
		got = append(got, h.Name+" "+h.Linkname)
	}
	if diff := cmp.Diff([]string{"dir/ ", "key ", "link /etc/passwd", "set "}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
