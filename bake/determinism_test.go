// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// fixedBase is a base in a layout, which has no name and so no port in it.
func fixedBase(t testing.TB, platforms ...string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "base")
	if len(platforms) == 0 {
		writeLayout(t, dir, registrytest.BaseImage(t, registrytest.ImageOptions{}), "base")
		return "oci:" + dir + ":base"
	}
	path, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = path.AppendIndex(registrytest.BaseIndex(t, platforms...))
	}
	if err != nil {
		t.Fatal(err)
	}
	return "oci:" + dir
}

// fixedSpec is a bake with something of everything, whose layer needs several
// blocks of the parallel compressor.
func fixedSpec(t testing.TB, base string) bake.Spec {
	t.Helper()
	spec, files := everyRole(t, base)
	files["model.py3"] = &fstest.MapFile{Data: slices.Concat(random(1<<20, 1), make([]byte, 1<<20))}
	for i, name := range []string{"a", "b", "c", "d"} {
		files["more/"+name] = &fstest.MapFile{Data: random(100+i, byte(i))}
		spec.Schemas["s"+name] = "more/" + name
	}
	spec.Env = map[string]string{"A": "1", "B": "2", "C": "3"}
	spec.Labels = map[string]string{"a": "1", "b": "2", "c": "3"}
	spec.Annotations = map[string]string{"x": "1", "y": "2", "z": "3"}
	return spec
}

// digestFor is the digest of what spec bakes.
func digestFor(t testing.TB, spec bake.Spec) v1.Hash {
	t.Helper()
	report, err := newPlan(t, spec).DryRun(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return report.Digest
}

func TestSameDigest(t *testing.T) {
	t.Parallel()
	base := fixedBase(t)
	want := digestFor(t, fixedSpec(t, base))
	for _, tc := range []struct {
		name   string
		change func(*bake.Spec, fstest.MapFS)
	}{
		{"again", func(*bake.Spec, fstest.MapFS) {}},
		{"shuffled maps", func(s *bake.Spec, _ fstest.MapFS) {
			for _, m := range []*map[string]string{&s.Schemas, &s.Env, &s.Labels, &s.Annotations} {
				other := map[string]string{}
				for _, k := range slices.Backward(slices.Sorted(maps.Keys(*m))) {
					other[k] = (*m)[k]
				}
				*m = other
			}
		}},
		{"other times and modes", func(_ *bake.Spec, files fstest.MapFS) {
			for name, f := range files {
				f.ModTime, f.Mode = time.Unix(1e9+int64(len(name)), 5), 0o600
			}
		}},
		{"from a directory", func(s *bake.Spec, files fstest.MapFS) {
			s.FS = onDisk(t, files)
		}},
		{"defaults spelled out", func(s *bake.Spec, _ fstest.MapFS) {
			s.AssetsDir, s.Layers, s.Compression = bake.DefaultAssetsDir, bake.LayersAuto, bake.Compression{Algorithm: bake.Gzip}
			s.ConnectPrefix = bake.DefaultConnectPrefix
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := fixedSpec(t, base)
			tc.change(&spec, spec.FS.(fstest.MapFS))
			if got := digestFor(t, spec); got != want {
				t.Errorf("digest %s, want %s", got, want)
			}
		})
	}
}

// onDisk writes files into a directory.
func onDisk(t testing.TB, files fstest.MapFS) fs.FS {
	t.Helper()
	dir := t.TempDir()
	for name, f := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o777), os.WriteFile(file, f.Data, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	return os.DirFS(dir)
}

// The number of cores, which the compressor knows, changes nothing.
func TestCores(t *testing.T) {
	base := fixedBase(t)
	for _, algorithm := range []bake.Algorithm{bake.Gzip, bake.Zstd} {
		digests := map[v1.Hash]bool{}
		for _, cores := range []int{1, 2} {
			before := runtime.GOMAXPROCS(cores)
			spec := fixedSpec(t, base)
			spec.Compression.Algorithm = algorithm
			digests[digestFor(t, spec)] = true
			runtime.GOMAXPROCS(before)
		}
		if len(digests) != 1 {
			t.Errorf("%s: %d digests", algorithm, len(digests))
		}
	}
}

// The digests of fixed bakes. A change here breaks "same inputs, same digest"
// between versions of this package: it needs a reason, and a line in the notes
// of a release.
func TestGoldenDigest(t *testing.T) {
	t.Parallel()
	base, index := fixedBase(t), fixedBase(t, "linux/amd64", "linux/arm64")
	for _, tc := range []struct {
		name   string
		base   string
		change func(*bake.Spec)
		want   string
	}{
		{"gzip", base, func(*bake.Spec) {}, "sha256:3b6ce8cf0fd0867a6aa15655d71a980509acd8543be2953ea5d0b19ed1578a64"},
		{"zstd", base, func(s *bake.Spec) { s.Compression.Algorithm = bake.Zstd }, "sha256:50353edc140778f51d8661154f1c683ab37222f7d4e3b6b17dbe9ca0f43687a5"},
		{"none", base, func(s *bake.Spec) { s.Compression.Algorithm = bake.None }, "sha256:2731303b756b4448e0990634499a00ea9707f5be59cefa64b8b8458821c698c5"},
		{"a layer a class", base, func(s *bake.Spec) { s.Layers = bake.LayersClass }, "sha256:7e3964c3af4e9b3f48f0c79123f67a3a871631df7df8b40cac155896ecf791aa"},
		{"created", base, func(s *bake.Spec) { s.Created = time.Unix(1700000000, 0) }, "sha256:d8dd7666f6d0e4b0bd2795e713162511536091175e2e0e8437bde41fae667d00"},
		{"index", index, func(*bake.Spec) {}, "sha256:3befb1c0b6074017539b2b5ef40b91a4ae252f4e9380184f653f4c375647f775"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			spec := fixedSpec(t, tc.base)
			tc.change(&spec)
			if got := digestFor(t, spec); got.String() != tc.want {
				t.Errorf("digest %s, want %s", got, tc.want)
			}
		})
	}
}

// Created is in whole seconds and knows no time zone; without it, neither the
// clock nor the files' times count.
func TestCreated(t *testing.T) {
	t.Parallel()
	base := fixedBase(t)
	at := func(created time.Time) v1.Hash {
		spec := scorer(base)
		spec.Created = created
		return digestFor(t, spec)
	}
	want := at(time.Unix(1700000000, 0))
	for _, tc := range []struct {
		name    string
		created time.Time
		same    bool
	}{
		{"another zone", time.Unix(1700000000, 0).In(time.FixedZone("", 3600)), true},
		{"UTC", time.Unix(1700000000, 0).UTC(), true},
		{"with nanoseconds", time.Unix(1700000000, 999), true},
		{"a second later", time.Unix(1700000001, 0), false},
		{"none", time.Time{}, false},
		{"the epoch", time.Unix(0, 0), false},
	} {
		if got := at(tc.created); (got == want) != tc.same {
			t.Errorf("%s: digest %s, the first was %s", tc.name, got, want)
		}
	}
	// Without Created, the files are as those of the epoch, the config is not.
	if at(time.Time{}) == at(time.Unix(0, 0)) {
		t.Error("no time and the epoch are the same")
	}
}
