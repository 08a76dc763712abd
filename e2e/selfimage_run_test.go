// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// checkSelfRuns runs the image of a layout, as a user whom it does not know and
// with nothing to write to: it says its version, and bakes what the machine's
// own crane-bake would have.
func checkSelfRuns(t *testing.T, layout string, entry ...string) {
	needNamespaces(t)
	copied := t.TempDir()
	skopeo(t, "--override-os=linux", "copy", "--quiet", "oci:"+layout+":v1", "oci:"+copied+":v1")
	bundle := unpack(t, copied, "v1")
	patchBundle(t, bundle)
	pem, err := os.ReadFile(filepath.Join(bundle, "rootfs/etc/ssl/certs/ca-certificates.crt"))
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(pem, []byte("BEGIN CERTIFICATE")); n < 100 || !x509.NewCertPool().AppendCertsFromPEM(pem) {
		t.Errorf("%d certificates", n)
	}

	host := startRegistry(t)
	push(t, host+"/engine:v1", engineImage(t, registrytest.ImageOptions{Layers: 2}))
	want := bakeScorer(t, host+"/engine:v1", host+"/scorer:outside").Digest
	context, err := filepath.Abs(scorer)
	if err != nil {
		t.Fatal(err)
	}
	version := string(runReadOnly(t, bundle, context, append(entry, "version")...))
	if !strings.HasPrefix(version, "crane-bake ") || !strings.HasSuffix(version, " linux/"+runtime.GOARCH+"\n") {
		t.Errorf("version: %q", version)
	}
	var inside result
	out := runReadOnly(t, bundle, context, append(entry, "build", "--quiet", "--format", "json", "-f", "/work/bake.yaml",
		"-b", host+"/engine:v1", "-t", host+"/scorer:inside")...)
	if err := json.Unmarshal(out, &inside); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if inside.Digest != want || fromRegistry(t, host+"/scorer:inside").digest.String() != want {
		t.Errorf("baked %s in the container, %s outside", inside.Digest, want)
	}
}

// runReadOnly runs a command in a bundle whose root file system cannot be
// written, with the machine's network, without HOME and with the directory work
// as /work.
func runReadOnly(t testing.TB, bundle, work string, args ...string) []byte {
	t.Helper()
	editBundle(t, bundle, func(config map[string]any) {
		process, linux := config["process"].(map[string]any), config["linux"].(map[string]any)
		process["args"] = args
		process["env"] = []string{"PATH=/usr/bin:/bin"}
		process["noNewPrivileges"] = true
		process["capabilities"] = map[string]any{}
		if os.Geteuid() == 0 {
			process["user"] = map[string]any{"uid": 12345, "gid": 12345} // see patchBundle for others
		}
		config["root"].(map[string]any)["readonly"] = true
		linux["namespaces"] = slices.DeleteFunc(linux["namespaces"].([]any), func(n any) bool {
			return n.(map[string]any)["type"] == "network"
		})
		config["mounts"] = slices.DeleteFunc(config["mounts"].([]any), func(m any) bool {
			return m.(map[string]any)["destination"] == "/work"
		})
		config["mounts"] = append(config["mounts"].([]any), map[string]any{
			"destination": "/work", "type": "bind", "source": work, "options": []string{"bind", "ro"},
		})
	})
	id := fmt.Sprintf("crane-bake-self-%d", os.Getpid())
	return output(t, withHome(t, command(t, peer(t, "runc"), "--root", t.TempDir(), "run", "--bundle", bundle, id)))
}

// shellBase is an image of busybox alone.
func shellBase(t testing.TB) v1.Image {
	t.Helper()
	busybox, err := os.ReadFile(peer(t, "busybox"))
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	for _, h := range []*tar.Header{
		{Name: "bin/busybox", Mode: 0o755, Size: int64(len(busybox))},
		{Name: "bin/sh", Typeflag: tar.TypeSymlink, Linkname: "busybox"},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(busybox); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(plain.Bytes())), nil }, tarball.WithMediaType(types.OCILayer))
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config.Cmd = "linux", runtime.GOARCH, []string{"sh"}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	return img
}
