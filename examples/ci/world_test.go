// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/examples/scorer"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// The account of the recipes. A shell that sees the password bare changes it.
const (
	user     = "robot"
	password = `p$HOME "w' \n*`
)

// A world is a directory that its user may write, with a copy of the example in
// src, and a registry that has the engine.
type world struct {
	registry *registryServer
	dir      string
	env      map[string]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, startRegistry(t))
}

func newWorldOn(t *testing.T, registry *registryServer) *world {
	t.Helper()
	dir, err := os.MkdirTemp("", "crane-bake-recipe-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	// Behind links, names would not be those that the scripts see.
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	w := &world{registry, dir, map[string]string{}}
	w.registry.Push(t, "fastscore/engine:1.10", registrytest.BaseIndex(t, "linux/amd64", "linux/arm64"))
	for name, content := range exampleFiles(t) {
		content = strings.ReplaceAll(content, "localhost:5000", w.registry.Host)
		w.write(t, "src/"+name, strings.ReplaceAll(content, "fastscore/engine", w.registry.Host+"/fastscore/engine"))
	}
	w.write(t, "src/fleet.yaml", w.fleet())
	w.openUp(t)
	return w
}

func exampleFiles(t *testing.T) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(scorer.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := scorer.Files.ReadFile(name)
		files[name] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// fleetSize is how many bakes the fleet has, more than any recipe has shards.
const fleetSize = 24

// fleet is a fleet file of bakes that differ in a variable.
func (w *world) fleet() string {
	var b strings.Builder
	fmt.Fprintf(&b, "defaults:\n  base: %s/fastscore/engine:1.10\n  model: model.py3\n"+
		"  schemas: {inputsch: input.avsc, outputsch: output.avsc}\n  streams: {0: rest.json, 1: kafka.json}\nbakes:\n", w.registry.Host)
	for i := range fleetSize {
		fmt.Fprintf(&b, "  m%d: {env: {NUMBER: \"%d\"}, tags: [\"%s/fleet/m%d:v1\"]}\n", i, i, w.registry.Host, i)
	}
	return b.String()
}

// fleetImages is what a run of the whole fleet publishes, sorted.
func (w *world) fleetImages(t *testing.T) []string {
	t.Helper()
	var images []string
	for i := range fleetSize {
		repo := fmt.Sprintf("fleet/m%d", i)
		images = append(images, w.registry.Host+"/"+repo+"@"+digestOf(t, w.registry, repo+":v1"))
	}
	slices.Sort(images)
	return images
}

func (w *world) write(t *testing.T, name, content string) string {
	t.Helper()
	name = filepath.Join(w.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(content), 0o666)); err != nil {
		t.Fatal(err)
	}
	return name
}

func (w *world) read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(w.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// openUp lets everybody write what there is by now.
func (w *world) openUp(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(w.dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || d.Type()&fs.ModeSymlink != 0:
			return err
		case d.IsDir():
			return os.Chmod(name, 0o777)
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		return os.Chmod(name, 0o666|info.Mode().Perm()&0o111)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// login writes an auth file as "docker login" does.
func (w *world) login(t *testing.T, file string, registries ...*registryServer) {
	t.Helper()
	var entries []string
	for _, r := range registries {
		auth := authn.FromConfig(authn.AuthConfig{Username: user, Password: password})
		config, err := auth.Authorization()
		if err != nil {
			t.Fatal(err)
		}
		text, err := config.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, fmt.Sprintf("%q: %s", r.Host, text))
	}
	w.write(t, file, `{"auths": {`+strings.Join(entries, ", ")+`}}`)
	w.openUp(t)
}

// An outcome is what a program left behind.
type outcome struct {
	code           int
	stdout, stderr string
}

// run runs a program in a directory of the world, with the world's variables and
// PATH.
func (w *world) run(t *testing.T, dir, program string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = filepath.Join(w.dir, dir)
	env := map[string]string{"PATH": binaries + ":" + os.Getenv("PATH")}
	maps.Copy(env, w.env)
	for _, key := range slices.Sorted(maps.Keys(env)) {
		cmd.Env = append(cmd.Env, key+"="+env[key])
	}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s: %v", program, err)
	}
	for _, said := range []string{stdout.String(), stderr.String()} {
		if strings.Contains(said, password) {
			t.Errorf("%s shows the password:\n%s", program, said)
		}
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// mustRun is run of a program that must succeed.
func (w *world) mustRun(t *testing.T, dir, program string, args ...string) outcome {
	t.Helper()
	o := w.run(t, dir, program, args...)
	if o.code != 0 {
		t.Fatalf("%s %q: exit code %d\n%s%s", program, args, o.code, o.stdout, o.stderr)
	}
	return o
}

// digestOf is the digest under a tag; empty where there is none.
func digestOf(t *testing.T, registry *registryServer, repoTag string) string {
	t.Helper()
	ref := registry.Ref(t, repoTag)
	desc, err := ggcr.Head(ref, ggcr.WithContext(t.Context()), ggcr.WithAuth(&authn.Basic{Username: user, Password: password}))
	if err != nil {
		return ""
	}
	return desc.Digest.String()
}

// mustDigest is digestOf of a tag that must be there.
func mustDigest(t *testing.T, registry *registryServer, repoTag string) string {
	t.Helper()
	digest := digestOf(t, registry, repoTag)
	if digest == "" {
		t.Fatalf("there is no %s", repoTag)
	}
	return digest
}

func recipe(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
