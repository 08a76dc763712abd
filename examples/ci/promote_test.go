// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// stages are a world whose registry has dev and staging, and another registry
// for production, each with its own credentials.
type stages struct {
	*world
	prod *registryServer
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
func (w *world) program(t *testing.T, text string) string {
	t.Helper()
	return w.script(t, "program", text)
}

func (w *world) script(t *testing.T, name, text string) string {
	t.Helper()
	name = w.write(t, name, "#!/bin/sh\n"+text+"\n")
	if err := os.Chmod(name, 0o755); err != nil {
		t.Fatal(err)
	}
	return name
}

// cosign puts a program of that name on PATH, which writes its arguments to the
// file cosigned and ends with this code.
func (w *world) cosign(t *testing.T, code int) {
	t.Helper()
	name := w.script(t, "bin/cosign", fmt.Sprintf("printf '%%s\\n' \"$@\" > %s/cosigned; echo '[{}]'; exit %d", w.dir, code))
	w.openUp(t)
	w.env["PATH"] = filepath.Dir(name) + ":" + binaries + ":" + os.Getenv("PATH")
}

// What cosign is asked, by the variables that say who signs, and what becomes of
// its answer.
func TestPromoteVerifiesSignature(t *testing.T) {
	t.Parallel()
	key := map[string]string{"COSIGN_KEY": "awskms:///alias/a key"}
	identity := map[string]string{
		"COSIGN_IDENTITY": "https://git.example.com/team/models/bake.yml@refs/heads/main", "COSIGN_ISSUER": "https://git.example.com",
	}
	for name, c := range map[string]struct {
		env    map[string]string
		cosign int // the code that it ends with
		want   []string
		code   int
	}{
		"key":      {key, 0, []string{"verify", "--key", key["COSIGN_KEY"]}, 0},
		"identity": {identity, 0, []string{"verify", "--certificate-identity", identity["COSIGN_IDENTITY"], "--certificate-oidc-issuer", identity["COSIGN_ISSUER"]}, 0},
		// A referrer of the required type is there, and does not help.
		"forged":         {key, 10, []string{"verify", "--key", key["COSIGN_KEY"]}, 10},
		"nobody's name":  {nil, 10, nil, 0},
		"no issuer":      {map[string]string{"COSIGN_IDENTITY": "robot@example.com"}, 0, nil, 2},
		"key and issuer": {map[string]string{"COSIGN_KEY": "cosign.pub", "COSIGN_ISSUER": "https://git.example.com"}, 0, nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStages(t)
			s.sign(t)
			maps.Copy(s.env, c.env)
			s.cosign(t, c.cosign)
			o := s.promote(t)
			digest := mustDigest(t, s.registry, "dev/scorer:v1")
			published := ""
			if c.code == 0 {
				published = s.prod.Host + "/prod/scorer@" + digest + "\n"
			}
			if o.code != c.code || o.stdout != published {
				t.Errorf("exit code %d, want %d; standard output %q, want %q\n%s", o.code, c.code, o.stdout, published, o.stderr)
			}
			if got := digestOf(t, s.prod, "prod/scorer:v1"); (got != "") != (c.code == 0) {
				t.Errorf("production has %q", got)
			}
			if told := strings.Contains(o.stderr, "signatures are not verified"); told != (c.env == nil) {
				t.Errorf("said that nobody verifies: %v\n%s", told, o.stderr)
			}
			if c.want == nil {
				if _, err := os.Stat(filepath.Join(s.dir, "cosigned")); err == nil {
					t.Errorf("cosign was run with %q", s.read(t, "cosigned"))
				}
				return
			}
			asked := append(slices.Clone(c.want), s.registry.Host+"/staging/scorer@"+digest)
			if diff := cmp.Diff(strings.Join(asked, "\n")+"\n", s.read(t, "cosigned")); diff != "" {
				t.Errorf("cosign's arguments (-want +got):\n%s", diff)
			}
		})
	}
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
