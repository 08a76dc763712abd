// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// hostile would colour what follows on a terminal, and fake a line.
const hostile = "li\x1b[31mnux\nfake line"

// hostileBase writes an index of one image, for a platform whose name is
// hostile, to a layout, and returns its location.
func hostileBase(t *testing.T, dir string) string {
	t.Helper()
	platform := v1.Platform{OS: hostile, Architecture: "amd64"}
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config.OS = platform.OS
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	index := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), mutate.IndexAddendum{Add: img, Descriptor: v1.Descriptor{Platform: &platform}})
	path, err := layout.Write(filepath.Join(dir, "base"), empty.Index)
	if err != nil {
		t.Fatal(err)
	}
	if err := path.AppendIndex(index, layout.WithAnnotations(map[string]string{"org.opencontainers.image.ref.name": "v1"})); err != nil {
		t.Fatal(err)
	}
	return "oci:" + filepath.Join(dir, "base") + ":v1"
}

// harmless wants text to show something of hostile, without its effects.
func harmless(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(text, "li\ufffd[31mnux\ufffdfake line") || strings.ContainsRune(text, '\x1b') {
		t.Errorf("got %q", text)
	}
}

func runBuild(t *testing.T, args ...string) (stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	env := &environment{stdout: &out, stderr: &errs, lookup: func(string) (string, bool) { return "", false }}
	code = run(t.Context(), env, append([]string{"build"}, args...))
	return errs.String(), code
}

func TestBasePlatformIsPrintable(t *testing.T) {
	dir := t.TempDir()
	args := append(writeExample(t, dir), "-b", hostileBase(t, dir), "-t", "oci:"+filepath.Join(dir, "out"))
	for name, more := range map[string][]string{"dry run": {"--dry-run"}, "progress": {"--progress", "plain"}} {
		t.Run(name, func(t *testing.T) {
			stderr, code := runBuild(t, append(args, more...)...)
			if code != exitDone {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			harmless(t, stderr)
		})
	}
}

func TestRegistryMessageIsPrintable(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(`{"errors": [{"code": "DENIED", "message": "li\u001b[31mnux\u009bfake line"}]}`)) // the client may be gone
	}))
	defer server.Close()
	dir := t.TempDir()
	stderr, code := runBuild(t, append(writeExample(t, dir), "-b", server.Listener.Addr().String()+"/engine:1", "-t", "oci:"+filepath.Join(dir, "out"))...)
	if code != exitDenied {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	harmless(t, stderr)
}

func TestPrintable(t *testing.T) {
	for name, print := range map[string]func(*bytes.Buffer){
		"hint":         func(b *bytes.Buffer) { printError(b, withHint(errors.New("x"), "%s", hostile)) },
		"note":         func(b *bytes.Buffer) { printDone(b, "baked", &bake.Report{Notes: []string{hostile}}, time.Second) },
		"finding":      func(b *bytes.Buffer) { writeFinding(b, finding{Finding: engine.Finding{Message: hostile}}, nil) },
		"finding hint": func(b *bytes.Buffer) { writeFinding(b, finding{Finding: engine.Finding{Hint: hostile}}, nil) },
		"finding file": func(b *bytes.Buffer) {
			writeFinding(b, finding{Finding: engine.Finding{File: hostile}}, fstest.MapFS{})
		},
		"blob": func(b *bytes.Buffer) {
			p := progress{w: b, mode: "plain", moving: map[string]*movement{}}
			p.event(bake.Event{Blob: hostile, Done: bake.Uploaded})
		},
		"target": func(b *bytes.Buffer) {
			p := progress{w: b, mode: "plain", moving: map[string]*movement{}, target: "another"}
			p.event(bake.Event{Target: hostile, Done: bake.Uploaded})
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			print(&b)
			harmless(t, b.String())
		})
	}
	t.Run("several errors", func(t *testing.T) {
		var b bytes.Buffer
		printError(&b, errors.Join(errors.New("a"), errors.New("b\x1b")))
		if want := "crane-bake: a; b\ufffd\n"; b.String() != want {
			t.Errorf("got %q, want %q", b.String(), want)
		}
	})
}
