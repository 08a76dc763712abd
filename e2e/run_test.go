// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// The whole way of a bake: from a registry to a registry, through skopeo and
// umoci into a container of runc, where the engine finds what was baked.
func TestRun(t *testing.T) {
	needNamespaces(t)
	host := startRegistry(t)
	push(t, host+"/engine:v1", engineImage(t, registrytest.ImageOptions{Layers: 10}))
	bakeScorer(t, host+"/engine:v1", host+"/scorer:v1")
	if diff := cmp.Diff(asJSON(t, engineReport(t)), runImage(t, host+"/scorer:v1")); diff != "" {
		t.Errorf("the engine's report (-want +got):\n%s", diff)
	}
}

// runImage runs the image in a registry, of an index the one for linux/amd64, and
// returns what the engine says.
func runImage(t testing.TB, ref string) any {
	t.Helper()
	layout := t.TempDir()
	skopeo(t, "--override-os=linux", "--override-arch=amd64", "copy", "--quiet", "--src-tls-verify=false", "docker://"+ref, "oci:"+layout+":v1")
	bundle := unpack(t, layout, "v1")
	patchBundle(t, bundle)

	root := t.TempDir()
	id := fmt.Sprintf("crane-bake-e2e-%d", os.Getpid())
	out := output(t, withHome(t, command(t, peer(t, "runc"), "--root", root, "run", "--bundle", bundle, id)))
	var got any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return got
}

// patchBundle drops from a bundle's config what a plain virtual machine may
// not have (cgroups, rights to raise limits) and what a test has not (a
// terminal).
func patchBundle(t testing.TB, bundle string) {
	t.Helper()
	editBundle(t, bundle, func(config map[string]any) {
		process, linux := config["process"].(map[string]any), config["linux"].(map[string]any)
		delete(process, "rlimits")
		delete(linux, "resources")
		process["terminal"] = false
		config["mounts"] = slices.DeleteFunc(config["mounts"].([]any), func(m any) bool {
			return m.(map[string]any)["type"] == "cgroup"
		})
		if os.Geteuid() != 0 {
			// A user without subordinate IDs can map one, which runc needs to be 0.
			process["user"] = map[string]any{"uid": 0, "gid": 0}
		}
	})
}

// editBundle rewrites a bundle's config.json.
func editBundle(t testing.TB, bundle string, edit func(config map[string]any)) {
	t.Helper()
	file := filepath.Join(bundle, "config.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	edit(config)
	if text, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

// engineReport is what the engine is to say of the example. It follows from
// the example's files, not from anything that the program under test said.
func engineReport(t testing.TB) map[string]any {
	t.Helper()
	user := 1000 // of the base image
	if os.Geteuid() != 0 {
		user = 0 // see patchBundle
	}
	return map[string]any{
		"attachments":   []any{},
		"connectPrefix": "https://connect:8001",
		"model": map[string]any{
			"file":    bakedFile(t, "model.py3"),
			"runner":  "python3",
			"schemas": map[string]string{"0": "inputsch", "1": "outputsch"},
			"slots":   []string{"0", "1"},
		},
		"problems": []any{},
		"process":  map[string]any{"gid": 0, "uid": user, "workingDirectory": "/fastscore"},
		"schemas": []any{
			map[string]any{"file": bakedFile(t, "input.avsc"), "fullName": "Applicant", "name": "inputsch", "type": "record"},
			map[string]any{"file": bakedFile(t, "output.avsc"), "fullName": "Score", "name": "outputsch", "type": "record"},
		},
		"streams": []any{
			map[string]any{"encoding": "json", "file": bakedFile(t, "rest.json"), "schema": "", "slot": 0, "transport": "REST"},
			map[string]any{"encoding": "json", "file": bakedFile(t, "kafka.json"), "schema": "", "slot": 1, "transport": "Kafka"},
		},
	}
}

// bakedFile is what the engine says of a file that was baked as it is.
func bakedFile(t testing.TB, name string) map[string]any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(scorer, name))
	if err != nil {
		t.Fatal(err)
	}
	return map[string]any{
		"gid": 0, "mode": "0644", "path": "/assets/" + name, "readable": true,
		"sha256": fmt.Sprintf("%x", sha256.Sum256(content)), "size": len(content), "uid": 0,
	}
}

// asJSON is v as encoding/json decodes it.
func asJSON(t testing.TB, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// needNamespaces ends a test that makes containers where the tester may make
// none: only root and users of a kernel with user namespaces may. That is no
// missing program, so that installing something would not help.
func needNamespaces(t testing.TB) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	cmd := exec.CommandContext(t.Context(), "true")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}},
	}
	if err := cmd.Run(); err != nil {
		t.Skipf("containers need root or user namespaces, and this user may make none: %v", err)
	}
}
