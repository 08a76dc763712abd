// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// What is written to files is what skopeo reads from them.
func TestToFiles(t *testing.T) {
	for _, tt := range []struct {
		name, transport, tag string
		docker               bool // Docker's media types rather than OCI's
	}{
		{name: "layout", transport: "oci", tag: "v1"},
		{name: "archived layout", transport: "oci-archive", tag: "v1"},
		// skopeo looks for OCI's media types alone in a layout.
		{name: "layout of a docker base", transport: "oci", tag: "v1", docker: true},
		{name: "archived layout of a docker base", transport: "oci-archive", tag: "v1", docker: true},
		{name: "docker archive", transport: "docker-archive", tag: "team/scorer:v1"},
		{name: "docker archive of a docker base", transport: "docker-archive", tag: "team/scorer:v1", docker: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 10, Docker: tt.docker})
			dir := t.TempDir()
			writeLayout(t, filepath.Join(dir, "base"), "v1", base)
			file := filepath.Join(dir, "baked")
			location := tt.transport + ":" + file
			r := bakeScorer(t, "oci:"+filepath.Join(dir, "base")+":v1", location+":"+tt.tag)

			copyImage(t, location+":"+tt.tag, "oci:"+filepath.Join(dir, "copy")+":v1")
			got := fromLayout(t, filepath.Join(dir, "copy"), "v1")
			got.validate(t)
			if tt.transport == "docker-archive" {
				checkArchive(t, base, file, tt.tag)
				return
			}
			checkBaked(t, base, r, location+":"+tt.tag)
			checkOnBase(t, base, got.image)
		})
	}
}

// One bake goes to everything that a tag can name, in one pass. Two archives
// once waited for each other for ever: each was given another blob first.
func TestToEverythingAtOnce(t *testing.T) {
	host := startRegistry(t)
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 10, LayerSize: 64 << 10})
	push(t, host+"/engine:v1", base)
	dir := t.TempDir()
	files := []string{"oci:" + dir + "/layout:v1", "oci-archive:" + dir + "/oci.tar:v1", "docker-archive:" + dir + "/docker.tar:team/scorer:v1"}
	args := []string{"build", "--quiet", "-f", scorer + "/bake.yaml", "-b", host + "/engine:v1"}
	for _, tag := range slices.Concat(files, []string{host + "/one:v1", host + "/two:v1", host + "/two:v2"}) {
		args = append(args, "-t", tag)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, craneBake, args...)
	cmd.Env = command(t, craneBake).Env
	output(t, cmd)

	for _, tag := range []string{"/one:v1", "/two:v1", "/two:v2"} {
		fromRegistry(t, host+tag).validate(t)
	}
	want := fromRegistry(t, host+"/one:v1").digest.String()
	for _, location := range files[:2] {
		if got := inspect(t, location).Digest; got != want {
			t.Errorf("%s has the digest %s, the registry %s", location, got, want)
		}
	}
	checkArchive(t, base, dir+"/docker.tar", "team/scorer:v1")
}

// checkArchive checks what is particular to docker-archive: it names images in
// full, and its manifest is of another kind, so that its digest is not the
// report's. The config is read from the archive itself, because skopeo leaves
// health checks out when it makes an OCI image of a Docker one.
func checkArchive(t testing.TB, base v1.Image, file, tag string) {
	t.Helper()
	var list struct{ Tags []string }
	out := skopeo(t, "list-tags", "docker-archive:"+file)
	if err := json.Unmarshal(out, &list); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if diff := cmp.Diff([]string{"docker.io/" + tag}, list.Tags); diff != "" {
		t.Errorf("tags of %s (-want +got):\n%s", file, diff)
	}
	got := inspect(t, "docker-archive:"+file+":"+tag)
	if want := slices.Concat(configFile(t, base).Config.Env, bakedEnv); !slices.Equal(got.Env, want) {
		t.Errorf("%s: environment %q, want %q", file, got.Env, want)
	}
	img, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	checkOnBase(t, base, img)
}

// checkOnBase checks that img is base with one layer and the environment of
// the example on top, whatever its layers are compressed with.
func checkOnBase(t testing.TB, base, img v1.Image) {
	t.Helper()
	want, got := configFile(t, base), configFile(t, img)
	ids := got.RootFS.DiffIDs
	if n := len(want.RootFS.DiffIDs); len(ids) != n+1 || !cmp.Equal(ids[:n], want.RootFS.DiffIDs) {
		t.Errorf("layers %v, want one on top of %v", ids, want.RootFS.DiffIDs)
	}
	wanted := want.Config
	wanted.Env = append(wanted.Env, bakedEnv...)
	for key, value := range wanted.Labels {
		if got.Config.Labels[key] != value {
			t.Errorf("label %s is %q, want %q as in the base", key, got.Config.Labels[key], value)
		}
	}
	wanted.Labels = got.Config.Labels
	if diff := cmp.Diff(wanted, got.Config); diff != "" {
		t.Errorf("config (-want +got):\n%s", diff)
	}
}

func configFile(t testing.TB, img v1.Image) *v1.ConfigFile {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// A base is read from what skopeo wrote, and the result goes to a registry.
func TestFromFiles(t *testing.T) {
	host := startRegistry(t)
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 10, LayerSize: 64 << 10})
	push(t, host+"/engine:v1", base)
	digests := map[string]string{}
	for _, transport := range []string{"oci", "oci-archive", "docker-archive"} {
		t.Run(transport, func(t *testing.T) {
			location := transport + ":" + filepath.Join(t.TempDir(), "base")
			written := location + ":v1"
			if transport == "docker-archive" {
				written = location + ":engine:v1"
			}
			copyImage(t, "docker://"+host+"/engine:v1", written)
			dst := host + "/" + transport + ":v1"
			r := bakeScorer(t, written, dst)
			digests[transport] = r.Digest
			got := fromRegistry(t, dst)
			got.validate(t)
			if got.digest.String() != r.Digest {
				t.Errorf("the registry has %s, the report says %s", got.digest, r.Digest)
			}
			checkOnBase(t, base, got.image)
			// The only image of a file needs no name.
			if again := bakeScorer(t, location, host+"/"+transport+":v2"); again.Digest != r.Digest {
				t.Errorf("without its tag the base gives %s, with it %s", again.Digest, r.Digest)
			}
		})
	}
	if digests["oci"] != digests["oci-archive"] {
		t.Errorf("the same base gives %s in a directory and %s in an archive", digests["oci"], digests["oci-archive"])
	}
}

// Both platforms of a base go through an archive.
func TestIndexThroughArchive(t *testing.T) {
	host := startRegistry(t)
	base := registrytest.BaseIndex(t, "linux/amd64", "linux/arm64")
	push(t, host+"/engine:v1", base)
	dir := t.TempDir()
	from, to := "oci-archive:"+filepath.Join(dir, "base.tar")+":v1", "oci-archive:"+filepath.Join(dir, "baked.tar")+":v1"
	copyImage(t, "docker://"+host+"/engine:v1", from)
	r := bakeScorer(t, from, to)
	copyImage(t, to, "docker://"+host+"/scorer:v1")
	got := fromRegistry(t, host+"/scorer:v1")
	got.validate(t)
	if got.index == nil || got.digest.String() != r.Digest {
		t.Errorf("the registry has %s, the report says %s, an index", got.digest, r.Digest)
	}
	if n := len(manifests(t, got.index)); n != 2 {
		t.Errorf("%d platforms, want 2", n)
	}
}

func manifests(t testing.TB, index v1.ImageIndex) []v1.Descriptor {
	t.Helper()
	m, err := index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	return m.Manifests
}
