// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// contents is the entries of the layers that a bake added, in order: "755 dir/",
// "644 file", "link -> target".
func contents(t testing.TB, img v1.Image) []string {
	t.Helper()
	var all []string
	for _, l := range must[[]v1.Layer](t)(img.Layers())[recordOf(t, img).Base.Layers:] {
		r := tar.NewReader(must[io.ReadCloser](t)(l.Uncompressed()))
		for {
			h, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Gname != "" || !h.ModTime.Equal(time.Unix(0, 0)) {
				t.Errorf("%s: owner %d:%d %q:%q, time %v", h.Name, h.Uid, h.Gid, h.Uname, h.Gname, h.ModTime)
			}
			if h.Typeflag == tar.TypeSymlink {
				all = append(all, h.Name+" -> "+h.Linkname)
			} else {
				all = append(all, fmt.Sprintf("%o %s", h.Mode, h.Name))
			}
		}
	}
	return all
}

// zipOf is tarOf for zip archives.
func zipOf(t testing.TB, pairs ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for i := 0; i < len(pairs); i += 2 {
		h := &zip.FileHeader{Name: pairs[i], Method: zip.Deflate}
		h.SetMode(0o600)
		content := pairs[i+1]
		if target, link := strings.CutPrefix(content, "->"); link {
			h.SetMode(fs.ModeSymlink | 0o777)
			content = target
		}
		member, err := w.CreateHeader(h)
		if err == nil {
			_, err = io.WriteString(member, content)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// contentFiles is what the cases of TestContents bake.
func contentFiles(t testing.TB) fstest.MapFS {
	return fstest.MapFS{
		"model.py3":        {Data: []byte("def action(x): yield x"), Mode: 0o600},
		"run.sh":           {Data: []byte("#!/bin/sh"), Mode: 0o700},
		"deep/er/a.csv":    {Data: []byte("a")},
		"lookup/b.csv":     {Data: []byte("b")},
		"lookup/sub/c.csv": {Data: []byte("c")},
		"lookup/empty":     {Mode: fs.ModeDir | 0o700},
		"nothing":          {Mode: fs.ModeDir | 0o700},
		"w.zip":            {Data: zipOf(t, "w/b", "b", "w/a", "aa", "w/link", "->a")},
		"w.tar.gz":         {Data: gzipOf(t, tarOf(t, "./", "", "x/y", "y", "x/link", "->../top", "top", "t", "none/", ""))},
		"root.tar":         {Data: tarOf(t, "tmp/scratch/f", "f", "fastscore/", "", "fastscore/f", "f", "usr/local/scorer/l", "l")},
	}
}

func TestContents(t *testing.T) {
	t.Parallel()
	model := []string{"755 assets/", "644 assets/model.py3"}
	for _, tc := range []struct {
		name   string
		change func(*bake.Spec)
		want   []string
	}{
		{"model", func(*bake.Spec) {}, model},
		{
			"assets directory", func(s *bake.Spec) { s.AssetsDir = "/opt/team/scorer" },
			[]string{"755 opt/team/", "755 opt/team/scorer/", "644 opt/team/scorer/model.py3"},
		},
		{
			"assets directory of the base", func(s *bake.Spec) { s.AssetsDir = "/fastscore" },
			[]string{"644 fastscore/model.py3"},
		},
		{
			"executable", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "run.sh"}} },
			slices.Concat(model, []string{"755 assets/run.sh"}),
		},
		{
			"from a directory", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "deep/er/a.csv"}} },
			[]string{"755 assets/", "644 assets/a.csv", "644 assets/model.py3"},
		},
		{
			"renamed", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "deep/er/a.csv", Dest: "b/c.csv"}} },
			[]string{"755 assets/", "755 assets/b/", "644 assets/b/c.csv", "644 assets/model.py3"},
		},
		{
			"into a directory", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "deep/er/a.csv", Dest: "b/"}} },
			[]string{"755 assets/", "755 assets/b/", "644 assets/b/a.csv", "644 assets/model.py3"},
		},
		{
			"absolute", func(s *bake.Spec) {
				s.Assets = []bake.Asset{{Path: "deep/er/a.csv", Dest: "/tmp/a/b.csv"}, {Path: "run.sh", Dest: "/usr/local/scorer/"}}
			},
			slices.Concat(model, []string{"755 tmp/a/", "644 tmp/a/b.csv", "755 usr/local/scorer/", "755 usr/local/scorer/run.sh"}),
		},
		{
			"in the root", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "run.sh", Dest: "/"}} },
			slices.Concat(model, []string{"755 run.sh"}),
		},
		{
			"a directory", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "lookup"}} },
			[]string{
				"755 assets/", "755 assets/lookup/", "644 assets/lookup/b.csv", "755 assets/lookup/empty/",
				"755 assets/lookup/sub/", "644 assets/lookup/sub/c.csv", "644 assets/model.py3",
			},
		},
		{
			"a directory's content", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "lookup/", Dest: "/assets"}} },
			[]string{
				"755 assets/", "644 assets/b.csv", "755 assets/empty/", "644 assets/model.py3",
				"755 assets/sub/", "644 assets/sub/c.csv",
			},
		},
		{
			"an empty directory", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "nothing", Dest: "/opt/cache/model"}} },
			slices.Concat(model, []string{"755 opt/cache/", "755 opt/cache/model/"}),
		},
		{
			"a directory of the base", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "lookup/sub", Dest: "/tmp"}} },
			slices.Concat(model, []string{"644 tmp/c.csv"}),
		},
		{
			"unpacked zip", func(s *bake.Spec) { s.Unpack = map[string]string{"w.zip": ""} },
			slices.Concat(model, []string{"755 assets/w/", "644 assets/w/b", "644 assets/w/a", "assets/w/link -> a"}),
		},
		{
			"unpacked tar.gz", func(s *bake.Spec) { s.Unpack = map[string]string{"w.tar.gz": "data/v1"} },
			[]string{
				"755 assets/", "755 assets/data/", "755 assets/data/v1/", "644 assets/model.py3",
				"755 assets/data/v1/x/", "644 assets/data/v1/x/y", "assets/data/v1/x/link -> ../top", "644 assets/data/v1/top", "755 assets/data/v1/none/",
			},
		},
		{
			"unpacked over the base's directories", func(s *bake.Spec) { s.Unpack = map[string]string{"root.tar": "/"} },
			slices.Concat(model, []string{"755 tmp/scratch/", "644 tmp/scratch/f", "644 fastscore/f", "755 usr/local/scorer/", "644 usr/local/scorer/l"}),
		},
		{
			"two archives in one directory", func(s *bake.Spec) { s.Unpack = map[string]string{"w.zip": "/opt/w", "w.tar.gz": "/opt/w"} },
			slices.Concat(model, []string{
				"755 opt/w/",
				"755 opt/w/x/", "644 opt/w/x/y", "opt/w/x/link -> ../top", "644 opt/w/top", "755 opt/w/none/",
				"755 opt/w/w/", "644 opt/w/w/b", "644 opt/w/w/a", "opt/w/w/link -> a",
			}),
		},
		{
			"the same file in two roles", func(s *bake.Spec) {
				s.Schemas = map[string]string{"a": "deep/er/a.csv", "b": "deep/er/a.csv"}
				s.Assets = []bake.Asset{{Path: "./model.py3"}}
			},
			[]string{"755 assets/", "644 assets/a.csv", "644 assets/model.py3"},
		},
		{
			"the same directory twice", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "lookup/sub"}, {Path: "lookup/sub/"}} },
			[]string{"755 assets/", "644 assets/model.py3", "755 assets/sub/", "644 assets/sub/c.csv"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
			spec := bake.Spec{
				FS: contentFiles(t), Model: "model.py3", Layers: bake.LayersSingle,
				Base: srv.Host + "/team/base:1", Tags: []string{srv.Host + "/team/scorer:1"},
			}
			tc.change(&spec)
			doBake(t, spec)
			img := pullImage(t, srv.Host+"/team/scorer:1")
			if diff := cmp.Diff(tc.want, contents(t, img)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			for _, f := range recordOf(t, img).Assets {
				if len(f.SHA256) != 64 {
					t.Errorf("%s has the hash %q", f.Path, f.SHA256)
				}
			}
		})
	}
}

// What would be two things at once in the image is refused, even without the
// check.
func TestCollisions(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*bake.Spec)
		want   []string // files that the findings name
		says   string
	}{
		{
			"two files of one base name", func(s *bake.Spec) {
				s.Schemas = map[string]string{"in": "lookup/b.csv", "out": "deep/b.csv"}
			}, []string{"deep/b.csv"}, "/assets/b.csv is baked from both lookup/b.csv and deep/b.csv",
		},
		{
			"an asset over the model", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "run.sh", Dest: "model.py3"}} },
			[]string{"run.sh"},
			"/assets/model.py3 is baked from both",
		},
		{
			"an archive over the model", func(s *bake.Spec) { s.Unpack = map[string]string{"model.zip": ""} },
			[]string{"model.zip"},
			"/assets/model.py3 is baked from both",
		},
		{
			"a file below a file", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "run.sh", Dest: "model.py3/run.sh"}} },
			[]string{"run.sh"},
			"/assets/model.py3 is a file (from model.py3), but /assets/model.py3/run.sh (from run.sh) lies below it",
		},
		{
			"a file below a link", func(s *bake.Spec) {
				s.Unpack = map[string]string{"w.zip": ""}
				s.Assets = []bake.Asset{{Path: "run.sh", Dest: "w/link/run.sh"}}
			}, []string{"run.sh"}, "lies below it",
		},
		{
			"an empty directory over a file", func(s *bake.Spec) { s.Assets = []bake.Asset{{Path: "nothing", Dest: "model.py3"}} },
			[]string{"nothing"},
			"/assets/model.py3",
		},
		{
			"a file over an empty directory", func(s *bake.Spec) {
				s.Assets = []bake.Asset{{Path: "nothing", Dest: "x"}, {Path: "run.sh", Dest: "x"}}
			}, []string{"run.sh"}, "/assets/x",
		},
		{
			"a directory of an archive over a file", func(s *bake.Spec) {
				s.Unpack = map[string]string{"w.tar.gz": ""} // has an empty directory of that name
				s.Assets = []bake.Asset{{Path: "run.sh", Dest: "none"}}
			}, []string{"run.sh"}, "/assets/none",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			files := contentFiles(t)
			files["deep/b.csv"] = files["lookup/b.csv"]
			files["model.zip"] = &fstest.MapFile{Data: zipOf(t, "model.py3", "other")}
			spec := bake.Spec{FS: files, Model: "model.py3", Base: "127.0.0.1:1/base", Tags: []string{"127.0.0.1:1/scorer"}}
			tc.change(&spec)
			plan := newPlan(t, spec)
			var got []string
			for _, f := range plan.Findings() {
				if f.Rule == "ENV-17" && strings.Contains(f.Message, tc.says) {
					got = append(got, f.File)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("ENV-17 (-want +got):\n%s\nof %v", diff, plan.Findings())
			}
			var check *bake.CheckError
			if _, err := plan.Bake(t.Context(), nil, bake.Options{NoCheck: true}); !errors.As(err, &check) {
				t.Errorf("without the check: %v", err)
			}
		})
	}
}
