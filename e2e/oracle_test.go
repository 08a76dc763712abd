// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// The example's bake file makes the image that buildah makes of the example's
// Dockerfile: the same files, and the same config but for differences.
func TestDockerfileIsOracle(t *testing.T) {
	needNamespaces(t)
	host := startRegistry(t)
	for _, format := range []string{"oci", "docker"} {
		t.Run(format, func(t *testing.T) {
			base := host + "/" + format + "/engine:v1"
			push(t, base, engineImage(t, registrytest.ImageOptions{Layers: 3, Docker: format == "docker"}))
			oracle, baked := host+"/"+format+"/oracle:v1", host+"/"+format+"/baked:v1"
			bakeScorer(t, base, baked)
			buildahBuild(t, format, base, oracle)
			want, got := fromRegistry(t, oracle).image, fromRegistry(t, baked).image

			if diff := cmp.Diff(tree(t, want), tree(t, got)); diff != "" {
				t.Errorf("root file system (-buildah +crane-bake):\n%s", diff)
			}
			if diff := cmp.Diff(compared(t, want), compared(t, got)); diff != "" {
				t.Errorf("config (-buildah +crane-bake):\n%s", diff)
			}
		})
	}
}

// differences are the members of a config that are not compared, and why.
var differences = []struct {
	path []string
	why  string
}{
	{[]string{"created"}, "buildah's is the time of the build; a bake's is the base's, to have the same digest every time"},
	{[]string{"history"}, "it tells how an image was made, and these two were made in different ways"},
	{[]string{"rootfs"}, "a layer's digest is also of the times of its files, which tree leaves out"},
	{[]string{"config", "Labels", "io.github.crane-bake.record"}, "the record of a bake is what a Dockerfile cannot make"},
	{[]string{"config", "Healthcheck"}, "buildah leaves it out of OCI images, whose specification has none; a bake keeps what the base has"},
	{[]string{"docker_version"}, "buildah leaves the base's out"},
	{[]string{"parent"}, "buildah names the image that it built on; only Docker's local store had a use for it"},
	{[]string{"container"}, "buildah names the container that it built in; a bake has none"},
	{[]string{"container_config"}, "as container"},
	{[]string{"config", "Hostname"}, "as container"},
}

// compared is a config without its differences, and without the empty
// members that buildah writes for Docker's sake ("Tty": false).
func compared(t testing.TB, img v1.Image) map[string]any {
	t.Helper()
	raw, err := img.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, d := range differences {
		parent := all
		for _, key := range d.path[:len(d.path)-1] {
			parent, _ = parent[key].(map[string]any)
		}
		delete(parent, d.path[len(d.path)-1])
	}
	config := all["config"].(map[string]any)
	maps.DeleteFunc(config, func(_ string, v any) bool {
		text, err := json.Marshal(v)
		return err == nil && slices.Contains([]string{"false", `""`, "[]", "{}", "null"}, string(text))
	})
	return all
}

// buildahBuild builds the example's Dockerfile on base and pushes the result.
func buildahBuild(t testing.TB, format, base, dst string) {
	t.Helper()
	b := newBuildah(t)
	source := copyScorer(t, t.TempDir()) // with the modes that a bake gives to files, whatever the checkout's are
	output(t, b.build(t, base, filepath.Join(source, "Dockerfile"), "oracle", "--format", format))
	b.run(t, "push", "--tls-verify=false", "--signature-policy", b.policy, "oracle", "docker://"+dst)
}

// A buildah is buildah with a store of its own. Nothing in the tests'
// Dockerfiles runs, so that chroot isolation needs no rights.
type buildah struct{ dir, policy string }

func newBuildah(t testing.TB) buildah {
	t.Helper()
	dir := t.TempDir()
	t.Cleanup(func() { makeRemovable(t, dir) }) // the store has directories that are read-only
	b := buildah{dir, filepath.Join(dir, "policy.json")}
	if err := os.WriteFile(b.policy, []byte(`{"default": [{"type": "insecureAcceptAnything"}]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	return b
}

// run runs buildah, which must succeed.
func (b buildah) run(t testing.TB, args ...string) {
	t.Helper()
	output(t, b.command(t, args...))
}

func (b buildah) command(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	store := []string{
		"--storage-driver", "vfs",
		"--root", filepath.Join(b.dir, "root"), "--runroot", filepath.Join(b.dir, "runroot"),
	}
	if os.Geteuid() != 0 {
		// The base's layers are pushed as they came, whoever owns their files
		// here meanwhile.
		store = append(store, "--storage-opt", "vfs.ignore_chown_errors=true")
	}
	return withHome(t, command(t, peer(t, "buildah"), append(store, args...)...))
}

// build builds the Dockerfile file, with its directory as context, on base
// instead of the image that it names.
func (b buildah) build(t testing.TB, base, file, tag string, flags ...string) *exec.Cmd {
	t.Helper()
	args := append([]string{
		"bud", "--quiet", "--isolation", "chroot", "--tls-verify=false", "--signature-policy", b.policy,
		"--identity-label=false", // its own version, as a label
		"--from", base, "--tag", tag, "--file", file,
	}, flags...)
	return b.command(t, append(args, filepath.Dir(file))...)
}

func makeRemovable(t testing.TB, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return os.Chmod(name, 0o700)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// tree lists the root file system of an image: of each path what it is, its
// mode and owner, and the digest of its content or the target of its link.
// Times are left out: buildah's are those of the source files and of the build,
// and a bake that is to have the same digest every time has neither.
func tree(t testing.TB, img v1.Image) map[string]string {
	t.Helper()
	rc := mutate.Extract(img)
	defer rc.Close()
	files := map[string]string{}
	for r := tar.NewReader(rc); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content := sha256.New()
		if _, err := io.Copy(content, r); err != nil {
			t.Fatal(err)
		}
		name := path.Clean("/" + h.Name)
		if _, twice := files[name]; twice {
			t.Errorf("%s is there twice", name)
		}
		files[name] = fmt.Sprintf("%s owner %d:%d link %q content %x", h.FileInfo().Mode(), h.Uid, h.Gid, h.Linkname, content.Sum(nil))
		if len(h.PAXRecords) > 0 {
			files[name] += fmt.Sprintf(" records %v", h.PAXRecords)
		}
	}
	if len(files) < 5 {
		t.Fatalf("only %d files", len(files))
	}
	return files
}
