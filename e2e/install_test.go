// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// make build makes the same file in every directory.
func TestBuildIsReproducible(t *testing.T) {
	needGo(t)
	var built [][]byte
	here, there := commitSource(t)
	for _, dir := range []string{here, there} {
		cmd := command(t, "make", "build")
		cmd.Dir, cmd.Env = dir, os.Environ()
		output(t, cmd)
		content, err := os.ReadFile(filepath.Join(dir, "bin/crane-bake"))
		if err != nil {
			t.Fatal(err)
		}
		built = append(built, content)
	}
	if !bytes.Equal(built[0], built[1]) {
		t.Error("two directories with the same commit give two programs")
	}
}

// The line of the README installs a released version from a module proxy, and
// the command knows which it is. The proxy is a directory; dependencies come
// from the tester's module cache.
func TestGoInstall(t *testing.T) {
	needGo(t)
	const module, version = "github.com/crane-bake/crane-bake", "v0.0.1"
	proxy := t.TempDir()
	writeModule(t, filepath.Join(proxy, module, "@v"), module, version)
	env := func(name string) string { return strings.TrimSpace(string(goOutput(t, "env", name))) }
	bin := t.TempDir()
	install := command(t, "go", "install", "-trimpath", module+"/cmd/crane-bake@"+version)
	install.Dir = t.TempDir()
	install.Env = append(install.Env,
		"GOPROXY=file://"+filepath.ToSlash(proxy)+",file://"+filepath.ToSlash(filepath.Join(env("GOMODCACHE"), "cache/download")),
		"GOSUMDB=off", "GOTOOLCHAIN=local", "GOFLAGS=-modcacherw", "CGO_ENABLED=0",
		"GOCACHE="+env("GOCACHE"), "GOMODCACHE="+t.TempDir(), "GOPATH="+t.TempDir(), "GOBIN="+bin)
	output(t, install)
	want := "crane-bake " + version + " " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH + "\n"
	if got := string(run(t, filepath.Join(bin, "crane-bake"), "version")); got != want {
		t.Errorf("version: %q, want %q", got, want)
	}
}

func goOutput(t testing.TB, args ...string) []byte {
	t.Helper()
	cmd := command(t, "go", args...)
	cmd.Env = os.Environ()
	return output(t, cmd)
}

// writeModule writes the source as a module proxy serves it: a version, its
// go.mod, and a zip whose names begin with MODULE@VERSION. Directories with a
// go.mod of their own are other modules.
func writeModule(t testing.TB, dir, module, version string) {
	t.Helper()
	source := t.TempDir()
	copySource(t, source)
	mod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	err = errors.Join(filepath.WalkDir(source, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(file, "go.mod")); err == nil && file != source {
				return fs.SkipDir
			}
			return nil
		}
		name, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		f, err := w.Create(path.Join(module+"@"+version, filepath.ToSlash(name)))
		if err != nil {
			return err
		}
		_, err = f.Write(content)
		return err
	}), w.Close(), os.MkdirAll(dir, 0o755))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"list": []byte(version + "\n"), version + ".info": []byte(`{"Version":"` + version + `"}`), version + ".mod": mod, version + ".zip": packed.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
