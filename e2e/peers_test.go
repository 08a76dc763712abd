// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// peer is the path of a program that scripts/install-peers installs.
func peer(t testing.TB, name string) string {
	t.Helper()
	// Unprivileged users may lack the directories of administrators' programs.
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; run scripts/install-peers", name)
	return ""
}

// withHome gives a peer a home of its own: some look for one, or ask the
// password database.
func withHome(t testing.TB, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	home := t.TempDir()
	cmd.Env = append(cmd.Env, "HOME="+home, "XDG_RUNTIME_DIR="+home)
	return cmd
}

// skopeo runs skopeo, which is not to ask the machine's signature policy.
func skopeo(t testing.TB, args ...string) []byte {
	t.Helper()
	args = append([]string{"--insecure-policy", "--tmpdir", t.TempDir()}, args...)
	return output(t, withHome(t, command(t, peer(t, "skopeo"), args...)))
}

// A description is what skopeo inspect says of an image.
type description struct {
	Name, Digest     string
	Os, Architecture string
	Layers, Env      []string
	Labels           map[string]string
}

// inspect describes the image at a location of containers-transports(5).
func inspect(t testing.TB, location string) description {
	t.Helper()
	var d description
	args := []string{"inspect", location}
	if isRegistry(location) {
		args = append(args, "--tls-verify=false")
	}
	out := skopeo(t, args...)
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("skopeo inspect %s: %v\n%s", location, err, out)
	}
	return d
}

// copyImage copies with skopeo, every platform of an index.
func copyImage(t testing.TB, from, to string) {
	t.Helper()
	args := []string{"copy", "--quiet", "--all"}
	if isRegistry(from) {
		args = append(args, "--src-tls-verify=false")
	}
	if isRegistry(to) {
		args = append(args, "--dest-tls-verify=false")
	}
	skopeo(t, append(args, from, to)...)
}

func isRegistry(location string) bool {
	return len(location) > 9 && location[:9] == "docker://"
}

// unpack makes a runtime bundle of an image in a layout; the bundle's
// directory rootfs is its root file system. Without root's rights every file
// is the tester's.
func unpack(t testing.TB, layout, tag string) string {
	t.Helper()
	bundle := filepath.Join(t.TempDir(), "bundle")
	args := []string{"unpack", "--image", layout + ":" + tag}
	if os.Geteuid() != 0 {
		args = append(args, "--rootless")
	}
	output(t, withHome(t, command(t, peer(t, "umoci"), append(args, bundle)...)))
	return bundle
}
