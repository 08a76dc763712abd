// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// What no image can hold, or nobody can mean, ends a bake before anything is
// written.
func TestRefusedDockerfiles(t *testing.T) {
	base := filepath.Join(t.TempDir(), "base")
	writeLayout(t, base, "v1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
	for _, tt := range []struct {
		name string // of testdata/dockerfiles/refused/NAME.Dockerfile
		want string // in the message
	}{
		{name: "missing", want: `source "nothing" is not in the build context`},
		{name: "outside", want: `source "../f" leads out of the build context`},
		{name: "link-outside", want: `source "escape" is a symbolic link that leads out of the build context`},
		{name: "file-below-file", want: `/assets/f cannot be a directory: "COPY f /assets/f" makes it a file`},
		{name: "file-over-directory", want: `/assets/f cannot be a file: "COPY tree /assets" makes it a directory`},
		{name: "directory-over-file", want: `/assets/f cannot be a directory: "COPY f /assets/f" makes it a file`},
		{name: "below-link", want: `/assets/dir cannot be a directory: "COPY links /assets" makes it a symbolic link`},
		{name: "whiteout-file", want: "a name in .wh.* would delete files of the base image"},
		{name: "whiteout-directory", want: "a name in .wh.* would delete files of the base image"},
		{name: "whiteout-in-archive", want: "a name in .wh.* would delete files of the base image"},
		{name: "replaced-link-target", want: "/assets/two is a hard link to /assets/one, which a later instruction replaces"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := dockerfile{name: "refused", prepare: func(t testing.TB, dir string) {
				mkdir(t, dir, "links", "whiteouts")
				write(t, dir, "whiteouts/.wh.f", nil)
				write(t, dir, "whiteouts.tar", archive(t, []tar.Header{{Name: "dir/.wh.f", Mode: 0o644}}))
				write(t, dir, "hard.tar", archive(t, []tar.Header{{Name: "one", Mode: 0o644}, {Typeflag: tar.TypeLink, Name: "two", Linkname: "one"}}))
				link(t, os.Symlink, "/etc", filepath.Join(dir, "links/dir"))
				link(t, os.Symlink, "../f", filepath.Join(dir, "escape"))
			}}
			source, out := d.copy(t), t.TempDir()
			file := filepath.Join(source, tt.name+".Dockerfile")

			baked := filepath.Join(out, "baked")
			text, err := command(t, craneBake, "build", "-f", file, "-b", "oci:"+base+":v1", "-t", "oci:"+baked+":v1", "--no-check").CombinedOutput()
			if err == nil || !strings.Contains(string(text), tt.want) {
				t.Errorf("error %v, want one that says %q\n%s", err, tt.want, text)
			}
			if _, err := os.Lstat(baked); err == nil {
				t.Error("there is a layout")
			}
		})
	}
}
