// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A dockerfile is a case of TestDockerfiles: testdata/dockerfiles/NAME, or
// another directory.
type dockerfile struct {
	name    string
	dir     string                         // with the Dockerfile and the context; empty is the one in testdata
	prepare func(t testing.TB, dir string) // makes in a copy of dir what a checkout does not keep
	args    []string                       // of both builders
	flags   []string                       // of the bake
	files   map[string]difference          // of the root file systems, by path
	config  map[string]difference          // of the configs, by member
	check   bool                           // it is a whole bake, which the check passes
}

// A difference between the images of two builders is exact: it is a failure
// too where it is no longer there.
type difference struct {
	buildah, bake string
	why           string
}

// Dockerfiles make the same root file system and config as with buildah. Where
// buildah is not as Docker, a bake follows Docker.
func TestDockerfiles(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("the cases give files to several users, which takes root")
	}
	base := startRegistry(t) + "/engine:v1"
	push(t, base, dockerfileBase(t))
	store := newBuildah(t)
	for _, tt := range dockerfiles {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			source := tt.copy(t)
			dir := t.TempDir()
			oracle, baked := filepath.Join(dir, "oracle"), filepath.Join(dir, "baked")
			file := filepath.Join(source, "Dockerfile")
			output(t, store.build(t, base, file, "oci:"+oracle+":v1", tt.args...))
			args := slices.Concat([]string{"build", "--quiet", "-f", file, "--context", source, "-b", base, "-t", "oci:" + baked + ":v1"}, tt.args, tt.flags)
			if !tt.check {
				args = append(args, "--no-check")
			}
			run(t, craneBake, args...)

			want, got := fromLayout(t, oracle, "v1").image, fromLayout(t, baked, "v1").image
			compare(t, rootFS(t, want), rootFS(t, got), tt.files)
			compare(t, members(t, want), members(t, got), tt.config)
		})
	}
}

// copy is a copy of the case's directory, as readable as a checkout.
func (d dockerfile) copy(t testing.TB) string {
	t.Helper()
	from, to := d.dir, filepath.Join(t.TempDir(), "context")
	if from == "" {
		from = filepath.Join("testdata", "dockerfiles", d.name)
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	openUp(t, to)
	if d.prepare != nil {
		d.prepare(t, to)
	}
	return to
}

// compare compares what two images hold, by name.
func compare(t testing.TB, buildah, bake map[string]string, known map[string]difference) {
	t.Helper()
	names := map[string]bool{}
	for _, m := range []map[string]string{buildah, bake} {
		for name := range m {
			names[name] = true
		}
	}
	for name := range known {
		names[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		want := difference{buildah: buildah[name], bake: buildah[name]}
		if d, ok := known[name]; ok {
			want = d
		}
		if buildah[name] != want.buildah || bake[name] != want.bake {
			t.Errorf("%s:\nbuildah: %s\nbake:    %s", name, buildah[name], bake[name])
			if want.why != "" {
				t.Errorf("the difference that is known of %s:\nbuildah: %s\nbake:    %s\nbecause %s", name, want.buildah, want.bake, want.why)
			}
		}
	}
}
