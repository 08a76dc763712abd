// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// The same commit gives the same image, whoever makes it and where: for two
// platforms, labelled with the commit, of root's files alone.
func TestSelfImage(t *testing.T) {
	needGo(t)
	tool := selfimageTool(t)
	here, there := commitSource(t)
	layout := filepath.Join(t.TempDir(), "layout")
	digest := selfimage(t, tool, here, "022", "UTC", "oci:"+layout+":v1")
	again := selfimage(t, tool, there, "077", "Pacific/Kiritimati", "oci:"+filepath.Join(t.TempDir(), "layout")+":v1")
	if digest != again {
		t.Errorf("another directory, umask and time zone give %s, not %s", again, digest)
	}

	image := fromLayout(t, layout, "v1")
	image.validate(t)
	manifest, err := image.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	commit := strings.TrimSpace(string(output(t, git(t, here, "rev-parse", "HEAD"))))
	if got := manifest.Annotations["org.opencontainers.image.revision"]; got != commit {
		t.Errorf("the index says that it is revision %q, not %s", got, commit)
	}
	var platforms []string
	for _, m := range manifest.Manifests {
		platforms = append(platforms, m.Platform.String())
		one, err := image.index.Image(m.Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkSelfConfig(t, one, *m.Platform, commit)
		checkSelfFiles(t, one)
	}
	if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
		t.Errorf("platforms (-want +got):\n%s", diff)
	}
	t.Run("runs", func(t *testing.T) { checkSelfRuns(t, layout, "/usr/bin/crane-bake") })
}

// On a base with a shell, the base's files stay and the shell finds the
// command.
func TestSelfImageWithShell(t *testing.T) {
	needGo(t)
	dir, base := t.TempDir(), shellBase(t)
	writeLayout(t, filepath.Join(dir, "base"), "v1", base)
	layout := filepath.Join(dir, "layout")
	here, _ := commitSource(t)
	selfimage(t, selfimageTool(t), here, "022", "UTC", "-platforms", "linux/"+runtime.GOARCH,
		"-base", "oci:"+filepath.Join(dir, "base")+":v1", "oci:"+layout+":v1")
	image := fromLayout(t, layout, "v1")
	image.validate(t)
	manifest, err := image.index.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	onBase, err := image.index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	checkSelfOnBase(t, base, onBase)
	checkSelfRuns(t, layout, "sh", "-c", `test -r /etc/ssl/certs/ca-certificates.crt && exec crane-bake "$@"`, "sh")
}

func selfimageTool(t testing.TB) string {
	t.Helper()
	tool := filepath.Join(t.TempDir(), "selfimage")
	cmd := command(t, "go", "build", "-trimpath", "-o", tool, "../internal/selfimage")
	cmd.Env = os.Environ()
	output(t, cmd)
	return tool
}

// selfimage runs the tool in a directory with the source and returns the digest
// that it published.
func selfimage(t testing.TB, tool, dir, umask, zone string, args ...string) string {
	t.Helper()
	cmd := command(t, "sh", append([]string{"-c", "umask " + umask + ` && exec "$@"`, "sh", tool}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TZ="+zone)
	_, digest, ok := strings.Cut(strings.TrimSpace(string(output(t, cmd))), "@")
	if !ok {
		t.Fatal("selfimage said no digest")
	}
	return digest
}

// checkSelfConfig compares the config with what docs/image.md says.
func checkSelfConfig(t testing.TB, img v1.Image, p v1.Platform, commit string) {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	labels := config.Config.Labels
	version := labels["org.opencontainers.image.version"]
	if !strings.HasPrefix(version, "v0.0.0-2026") || !strings.Contains(version, commit[:12]) {
		t.Errorf("version %q of commit %s", version, commit)
	}
	const prefix = "org.opencontainers.image."
	want := v1.Config{
		User:       "65532:65532",
		Entrypoint: []string{"/usr/bin/crane-bake"},
		Env:        []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		Labels: map[string]string{
			prefix + "title": "crane-bake", prefix + "licenses": "Apache-2.0", prefix + "source": "https://github.com/crane-bake/crane-bake",
			prefix + "description": labels[prefix+"description"], prefix + "version": version, prefix + "revision": commit,
		},
	}
	if diff := cmp.Diff(want, config.Config); diff != "" {
		t.Errorf("%s: config (-want +got):\n%s", p, diff)
	}
	if got := config.Platform(); !got.Equals(p) {
		t.Errorf("the config says %s, the index %s", got, p)
	}
	if got := config.Created.UTC().Format("2006-01-02 15:04:05"); got != commitTime {
		t.Errorf("%s: created %s, committed %s", p, got, commitTime)
	}
}

// checkSelfOnBase wants the base's layers below, its command, no entry point and
// a word on where it came from.
func checkSelfOnBase(t testing.TB, base, img v1.Image) {
	t.Helper()
	below, err := base.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := base.Digest()
	if err != nil {
		t.Fatal(err)
	}
	got, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Layers) != len(below.Layers)+2 || got.Layers[0].Digest != below.Layers[0].Digest {
		t.Errorf("layers %v on %v", got.Layers, below.Layers)
	}
	if said := got.Annotations["org.opencontainers.image.base.digest"]; said != digest.String() {
		t.Errorf("it says that its base is %s, which is %s", said, digest)
	}
	if c := config.Config; c.Entrypoint != nil || !slices.Equal(c.Cmd, []string{"sh"}) || c.User != "65532:65532" {
		t.Errorf("entry point %q, command %q, user %q", c.Entrypoint, c.Cmd, c.User)
	}
}

// checkSelfFiles lists the image's files.
func checkSelfFiles(t testing.TB, img v1.Image) {
	t.Helper()
	got := map[string]string{}
	for name, what := range tree(t, img) {
		got[name], _, _ = strings.Cut(what, " link ")
	}
	want := map[string]string{
		"/etc": "drwxr-xr-x owner 0:0", "/etc/ssl": "drwxr-xr-x owner 0:0", "/etc/ssl/certs": "drwxr-xr-x owner 0:0",
		"/usr": "drwxr-xr-x owner 0:0", "/usr/bin": "drwxr-xr-x owner 0:0", "/tmp": "dtrwxrwxrwx owner 0:0",
		"/etc/group": "-rw-r--r-- owner 0:0", "/etc/passwd": "-rw-r--r-- owner 0:0",
		"/etc/ssl/certs/ca-certificates.crt": "-rw-r--r-- owner 0:0", "/usr/bin/crane-bake": "-rwxr-xr-x owner 0:0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}
