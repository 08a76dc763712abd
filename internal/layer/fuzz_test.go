// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package layer_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// An archive that is accepted makes a layer that stays below its directory,
// the same one in each pass.
func FuzzArchive(f *testing.F) {
	kinds := []string{"a.zip", "a.tar", "a.tar.gz", "a.tar.zst"}
	for _, parts := range [][]part{
		nil,
		{{"d/", tar.TypeDir, 0o755, ""}, {"d/f", 0, 0o755, "content"}, {"d/l", tar.TypeSymlink, 0o777, "../d/f"}},
		{{"f", 0, 0o644, "x"}, {"h", tar.TypeLink, 0o644, "f"}, {"pax_global_header", tar.TypeXGlobalHeader, 0, "c"}},
		{{"../f", 0, 0o644, ""}},
		{{"/f", 0, 0o644, ""}},
		{{"l", tar.TypeSymlink, 0o777, "/etc"}},
		{{"c", tar.TypeChar, 0o644, ""}},
		{{".wh.f", 0, 0o644, ""}},
		{{strings.Repeat("ü", 80), 0, 0o644, "1"}},
	} {
		all := archivesOf(f, parts...)
		for i, kind := range kinds {
			if data, ok := all[kind]; ok {
				f.Add(i, data)
				f.Add((i+1)%len(kinds), data)
				f.Add(i, data[:len(data)*2/3])
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind int, data []byte) {
		file := kinds[uint(kind)%uint(len(kinds))]
		fsys := fstest.MapFS{file: {Data: data}}
		limits := layer.Limits{Entries: 100, Bytes: 1 << 20}
		members, entries, err := layer.Archive(t.Context(), fsys, file, "dest/dir", layer.ArchiveOptions{Limits: limits})
		if err != nil {
			if !strings.HasPrefix(err.Error(), `archive "`+file+`": `) {
				t.Errorf("%v does not name the archive", err)
			}
			return
		}
		l := newLayer(t, entries, layer.Options{Algorithm: "none"})
		r, err := l.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		content, err := io.ReadAll(r)
		if errors.Is(err, layer.ErrChanged) && file != "a.zip" {
			t.Fatal(err)
		}
		if err != nil {
			if file != "a.zip" { // members of a .zip may be damaged
				t.Error(err)
			}
			return
		}
		checkContained(t, content, len(members))
	})
}

// checkContained reads a layer that must stay below dest/dir.
func checkContained(t *testing.T, content []byte, members int) {
	r := tar.NewReader(bytes.NewReader(content))
	n := 0
	for ; ; n++ {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(h.Name, "/")
		if !fs.ValidPath(name) || !strings.HasPrefix(name, "dest/dir/") || strings.Contains(name, "/.wh.") {
			t.Errorf("name %q", h.Name)
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeDir:
		case tar.TypeLink:
			if !strings.HasPrefix(h.Linkname, "dest/dir/") {
				t.Errorf("hard link %q to %q", h.Name, h.Linkname)
			}
		case tar.TypeSymlink:
			target := path.Join(path.Dir(name), h.Linkname)
			if path.IsAbs(h.Linkname) || target != "dest/dir" && !strings.HasPrefix(target, "dest/dir/") {
				t.Errorf("symbolic link %q to %q", h.Name, h.Linkname)
			}
		default:
			t.Errorf("%q of type %q", h.Name, h.Typeflag)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.Mode&^0o777 != 0 {
			t.Errorf("%q: owner %d:%d %q, mode %o", h.Name, h.Uid, h.Gid, h.Uname, h.Mode)
		}
	}
	if n != members {
		t.Errorf("%d entries for %d members", n, members)
	}
}
