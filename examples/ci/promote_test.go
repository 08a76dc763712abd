// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// stages are a world whose registry has dev and staging, and another registry
// for production, each with its own credentials.
type stages struct {
	*world
	prod *registrytest.Server
}

func newStages(t *testing.T) *stages {
	t.Helper()
	s := &stages{newWorld(t), startRegistry(t)}
	s.login(t, "docker/config.json", s.registry, s.prod)
	s.env = map[string]string{
		"DOCKER_CONFIG": filepath.Join(s.dir, "docker"),
		"DEV":           s.registry.Host + "/dev", "STAGING": s.registry.Host + "/staging", "PROD": s.prod.Host + "/prod",
	}
	s.write(t, "promote.sh", recipe(t, "shell/promote.sh"))
	s.bake(t)
	return s
}

// bake publishes scorer:v1 in dev.
func (s *stages) bake(t *testing.T, flags ...string) {
	t.Helper()
	s.mustRun(t, "src", filepath.Join(binaries, "crane-bake"), append([]string{"build", "-q", "-t", s.env["DEV"] + "/scorer:v1"}, flags...)...)
}

func (s *stages) promote(t *testing.T) outcome {
	t.Helper()
	return s.run(t, ".", "sh", filepath.Join(s.dir, "promote.sh"), "scorer:v1")
}

// sign puts a signature where cosign does.
func (s *stages) sign(t *testing.T) {
	t.Helper()
	payload := static.NewLayer([]byte(`{"critical": {}}`), "application/vnd.dev.cosign.simplesigning.v1+json")
	img, err := mutate.AppendLayers(empty.Image, payload)
	if err != nil {
		t.Fatal(err)
	}
	digest := mustDigest(t, s.registry, "dev/scorer:v1")
	s.registry.Push(t, "dev/scorer:"+strings.ReplaceAll(digest, ":", "-")+".sig", img)
}

func TestPromote(t *testing.T) {
	t.Parallel()
	s := newStages(t)
	s.sign(t)
	digest := mustDigest(t, s.registry, "dev/scorer:v1")
	s.env["STAGING_TEST"] = s.program(t, "echo \"testing $1\"; printf %s \"$1\" > tested")
	for _, run := range []string{"first", "again"} {
		o := s.promote(t)
		if want := s.prod.Host + "/prod/scorer@" + digest + "\n"; o.code != 0 || o.stdout != want {
			t.Fatalf("%s: exit code %d, standard output %q, want %q\n%s", run, o.code, o.stdout, want, o.stderr)
		}
	}
	if want := s.registry.Host + "/staging/scorer@" + digest; s.read(t, "tested") != want {
		t.Errorf("tested %q, want %q", s.read(t, "tested"), want)
	}
	for _, tag := range []string{":v1", ":" + strings.ReplaceAll(digest, ":", "-") + ".sig"} {
		mustDigest(t, s.prod, "prod/scorer"+tag)
	}
}

// program writes a shell script that the user may run.
func (s *stages) program(t *testing.T, text string) string {
	t.Helper()
	name := s.write(t, "program", "#!/bin/sh\n"+text+"\n")
	if err := os.Chmod(name, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPromoteGates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(t *testing.T, s *stages)
		code    int
		staged  bool
	}{
		"not signed":        {func(*testing.T, *stages) {}, 3, true},
		"other requirement": {func(t *testing.T, s *stages) { s.sign(t); s.env["REQUIRE"] = "application/x a/b" }, 3, true},
		"staging fails":     {func(t *testing.T, s *stages) { s.sign(t); s.env["STAGING_TEST"] = s.program(t, "exit 42") }, 42, true},
		"findings": {func(t *testing.T, s *stages) {
			s.write(t, "src/kafka.json", `{"Transport": "RETS"}`)
			s.bake(t, "--no-check")
			s.sign(t)
		}, 3, false},
		"another image in production": {func(t *testing.T, s *stages) {
			s.sign(t)
			s.prod.Push(t, "prod/scorer:v1", registrytest.BaseIndex(t, "linux/amd64"))
		}, 7, true},
		"no such image": {func(_ *testing.T, s *stages) { s.env["DEV"] += "/nowhere" }, 5, false},
		"no stage":      {func(_ *testing.T, s *stages) { delete(s.env, "PROD") }, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStages(t)
			c.prepare(t, s)
			before := digestOf(t, s.prod, "prod/scorer:v1")
			o := s.promote(t)
			// Which code a shell ends with for want of a variable is its own matter.
			if o.code != c.code && (name != "no stage" || o.code == 0) {
				t.Errorf("exit code %d, want %d\n%s", o.code, c.code, o.stderr)
			}
			if o.stdout != "" {
				t.Errorf("standard output %q", o.stdout)
			}
			if after := digestOf(t, s.prod, "prod/scorer:v1"); after != before {
				t.Errorf("production has %q, had %q", after, before)
			}
			if staged := digestOf(t, s.registry, "staging/scorer:v1") != ""; staged != c.staged {
				t.Errorf("in staging: %v, want %v", staged, c.staged)
			}
		})
	}
}

// Without anything required, an image needs no signature.
func TestPromoteRequiresNothing(t *testing.T) {
	t.Parallel()
	s := newStages(t)
	s.env["REQUIRE"] = ""
	if o := s.promote(t); o.code != 0 {
		t.Errorf("exit code %d\n%s", o.code, o.stderr)
	}
}
