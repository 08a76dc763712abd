// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// ownersOf is the mode and owner of whatever the bake's layers have, by name; a
// name that several layers have must be the same in all.
func ownersOf(t testing.TB, img v1.Image) map[string]string {
	t.Helper()
	all := map[string]string{}
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
			text := fmt.Sprintf("%o %d:%d", h.Mode, h.Uid, h.Gid)
			if was, ok := all[h.Name]; ok && was != text {
				t.Errorf("%s is %s in one layer and %s in another", h.Name, was, text)
			}
			all[h.Name] = text
		}
	}
	return all
}

// copyOf is a Copy whose instruction is made of its parts.
func copyOf(source, dest string) bake.Copy {
	return bake.Copy{Path: source, Dest: dest, Instruction: "COPY " + source + " " + dest}
}

func owned(c bake.Copy, owner int) bake.Copy {
	c.Owner = &bake.Owner{UID: owner, GID: owner}
	return c
}

func placementFiles(t testing.TB) fstest.MapFS {
	return fstest.MapFS{
		"f":        {Data: []byte("f"), Mode: 0o644},
		"m.py3":    {Data: []byte("m"), Mode: 0o644},
		"tree":     {Mode: fs.ModeDir | 0o700},
		"tree/sub": {Mode: fs.ModeDir | 0o750},
		"tree/a":   {Data: []byte("a"), Mode: 0o600},
		"tree/b":   {Data: []byte("b"), Mode: 0o600},
		"flat/sub": {Data: []byte("s"), Mode: 0o644},
		"dir.tar":  {Data: tarOf(t, "sub/", "", "sub/c", "c")},
	}
}

func TestPlacement(t *testing.T) {
	unpacked := copyOf("dir.tar", "/opt/x")
	unpacked.Unpack = true
	without := copyOf("tree", "/opt/x")
	without.Skip = func(name string) bool { return name == "tree/a" }
	for _, tc := range []struct {
		name   string
		copies []bake.Copy
		want   map[string]string
	}{
		{
			"a directory that is made belongs to the copy's owner",
			[]bake.Copy{owned(copyOf("f", "/opt/x/y/f"), 7)},
			map[string]string{"opt/x/": "755 7:7", "opt/x/y/": "755 7:7", "opt/x/y/f": "644 7:7"},
		},
		{
			"the content of a directory is copied, not itself",
			[]bake.Copy{copyOf("tree", "/opt/x")},
			map[string]string{"opt/x/": "755 0:0", "opt/x/a": "600 0:0", "opt/x/b": "600 0:0", "opt/x/sub/": "750 0:0"},
		},
		{
			"a directory that is there stays",
			[]bake.Copy{owned(bake.Copy{Dest: "/opt/x"}, 7), copyOf("flat", "/opt/x")},
			map[string]string{"opt/x/": "755 7:7", "opt/x/sub": "644 0:0"},
		},
		{
			"a directory in a directory replaces",
			[]bake.Copy{owned(copyOf("tree", "/opt/x"), 7), unpacked},
			map[string]string{"opt/x/": "755 7:7", "opt/x/a": "600 7:7", "opt/x/b": "600 7:7", "opt/x/sub/": "600 0:0", "opt/x/sub/c": "600 0:0"},
		},
		{
			"a file below an archive's directory",
			[]bake.Copy{unpacked, owned(copyOf("f", "/opt/x/sub/f"), 7)},
			map[string]string{"opt/x/": "755 0:0", "opt/x/sub/": "600 0:0", "opt/x/sub/c": "600 0:0", "opt/x/sub/f": "644 7:7"},
		},
		{
			"a part of a tree again",
			[]bake.Copy{owned(copyOf("tree", "/opt/x"), 7), without},
			map[string]string{"opt/x/": "755 7:7", "opt/x/a": "600 7:7", "opt/x/b": "600 0:0", "opt/x/sub/": "750 0:0"},
		},
		{
			"layers of several classes",
			[]bake.Copy{owned(copyOf("tree", "/opt/x"), 7), copyOf("m.py3", "/opt/x/model.py3")},
			map[string]string{"opt/x/": "755 7:7", "opt/x/a": "600 7:7", "opt/x/b": "600 7:7", "opt/x/sub/": "750 7:7", "opt/x/model.py3": "644 0:0"},
		},
		{
			"directories of the operating system",
			[]bake.Copy{owned(copyOf("f", "/usr/lib/x/f"), 7)},
			map[string]string{"usr/lib/": "755 0:0", "usr/lib/x/": "755 0:0", "usr/lib/x/f": "644 7:7"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
			doBake(t, bake.Spec{
				FS: placementFiles(t), Copies: tc.copies, Layers: bake.LayersClass,
				Env:  map[string]string{"MODEL": "/opt/x/model.py3"},
				Base: srv.Host + "/team/base:1", Tags: []string{srv.Host + "/team/scorer:1"},
			})
			if diff := cmp.Diff(tc.want, ownersOf(t, pullImage(t, srv.Host+"/team/scorer:1"))); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
		})
	}
}
