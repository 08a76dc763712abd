// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// bakedEnv is what the example's bake adds to a base's environment.
var bakedEnv = []string{
	"MODEL=/assets/model.py3",
	"SCHEMAS=inputsch:/assets/input.avsc;outputsch:/assets/output.avsc",
	"STREAMS=0:/assets/rest.json;1:/assets/kafka.json",
	"CONNECT_PREFIX=https://connect:8001",
}

// smallBake is more bytes than the example, its config and its manifests have,
// and fewer than any base of these tests.
const smallBake = 64 << 10

// The same bake goes to a repository that has the base's layers, to one that
// can mount them, and to one that must be sent them.
func TestPublish(t *testing.T) {
	here, there := startRegistry(t), startRegistry(t)
	for _, tt := range []struct {
		name   string
		docker bool   // Docker's media types rather than OCI's
		dst    string // beside here/NAME/engine:v1
		means  string // how the report says the destination got the base's layers
	}{
		{"oci same repository", false, here + "/oci/engine:scorer", "reusedBytes"},
		{"oci same registry", false, here + "/oci/scorer:v1", "mountedBytes"},
		{"oci other registry", false, there + "/oci/scorer:v1", "copiedBytes"},
		{"docker same repository", true, here + "/docker/engine:scorer", "reusedBytes"},
		{"docker same registry", true, here + "/docker/scorer:v1", "mountedBytes"},
		{"docker other registry", true, there + "/docker/scorer:v1", "copiedBytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 10, LayerSize: 64 << 10, Docker: tt.docker})
			baseRef := here + "/oci/engine:v1"
			if tt.docker {
				baseRef = here + "/docker/engine:v1"
			}
			push(t, baseRef, base)
			r := bakeScorer(t, baseRef, tt.dst)
			checkBaked(t, base, r, "docker://"+tt.dst)
			fromRegistry(t, tt.dst).validate(t)

			layout := t.TempDir()
			copyImage(t, "docker://"+tt.dst, "oci:"+layout+":v1")
			fromLayout(t, layout, "v1").validate(t)

			for _, means := range []string{"reusedBytes", "mountedBytes", "copiedBytes"} {
				want := int64(0)
				if means == tt.means {
					want = layersSize(t, base)
				}
				if got := r.Transfer[means]; got != want {
					t.Errorf("%s = %d, want %d", means, got, want)
				}
			}
			if got := r.Transfer["uploadedBytes"]; got <= 0 || got >= smallBake {
				t.Errorf("uploadedBytes = %d, want more than none and less than %d", got, smallBake)
			}
		})
	}
}

// checkBaked has skopeo describe the image at a location, which must be what r
// says and be base with the example baked onto it.
func checkBaked(t testing.TB, base v1.Image, r result, location string) {
	t.Helper()
	got := inspect(t, location)
	if got.Digest != r.Digest {
		t.Errorf("%s has the digest %s, the report says %s", location, got.Digest, r.Digest)
	}
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Concat(config.Config.Env, bakedEnv), got.Env); diff != "" {
		t.Errorf("%s: environment (-want +got):\n%s", location, diff)
	}
	baseLayers := layerDigests(t, base)
	if n := len(baseLayers); len(got.Layers) != n+1 || !slices.Equal(baseLayers, got.Layers[:n]) {
		t.Errorf("%s: layers %q, want one on top of %q", location, got.Layers, baseLayers)
	}
	for key, value := range config.Config.Labels {
		if got.Labels[key] != value {
			t.Errorf("%s: label %s is %q, want %q as in the base", location, key, got.Labels[key], value)
		}
	}
}

// What a second bake moves is counted by proxies, not by the program.
func TestSecondBakeMovesNoBase(t *testing.T) {
	from, to := startProxy(t, startRegistry(t)), startProxy(t, startRegistry(t))
	base := registrytest.BaseImage(t, registrytest.ImageOptions{Layers: 10, LayerSize: 256 << 10})
	push(t, from.host+"/engine:v1", base)
	size := layersSize(t, base)
	from.reset()

	first := bakeScorer(t, from.host+"/engine:v1", to.host+"/scorer:v1")
	if up, down := to.up.Load(), from.down.Load(); up < size || down < size {
		t.Errorf("the first bake sent %d bytes and got %d, want at least the %d of the base's layers", up, down, size)
	}
	from.reset()
	to.reset()
	second := bakeScorer(t, from.host+"/engine:v1", to.host+"/scorer:v2", "--stream", "1="+scorer+"/rest.json")
	for name, n := range map[string]int64{
		"sent to the base's registry":       from.up.Load(),
		"got from the base's registry":      from.down.Load(),
		"sent to the destination's":         to.up.Load(),
		"got from the destination registry": to.down.Load(),
	} {
		if n >= smallBake {
			t.Errorf("the second bake: %s: %d bytes", name, n)
		}
	}
	if first.Digest == second.Digest {
		t.Error("another stream descriptor did not change the digest")
	}
	if got := second.Transfer["reusedBytes"]; got != size {
		t.Errorf("reusedBytes = %d, want %d", got, size)
	}
	fromRegistry(t, to.host+"/scorer:v2").validate(t)
}

func TestTwoPlatforms(t *testing.T) {
	here, there := startRegistry(t), startRegistry(t)
	base := registrytest.BaseIndex(t, "linux/amd64", "linux/arm64", registrytest.Attestation)
	push(t, here+"/engine:v1", base)
	for _, dst := range []string{here + "/scorer:v1", there + "/scorer:v1"} {
		r := bakeScorer(t, here+"/engine:v1", dst)
		raw := skopeo(t, "inspect", "--raw", "--tls-verify=false", "docker://"+dst)
		var index v1.IndexManifest
		if err := json.Unmarshal(raw, &index); err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		var platforms []string
		for _, desc := range index.Manifests {
			platforms = append(platforms, desc.Platform.String())
			one := inspect(t, "docker://"+parse(t, dst).Context().Name()+"@"+desc.Digest.String())
			if one.Os+"/"+one.Architecture != desc.Platform.String() {
				t.Errorf("the image for %s is for %s/%s", desc.Platform, one.Os, one.Architecture)
			}
			if n := len(one.Env); n < len(bakedEnv) || !slices.Equal(one.Env[n-len(bakedEnv):], bakedEnv) {
				t.Errorf("%s: environment %q does not end with %q", desc.Platform, one.Env, bakedEnv)
			}
		}
		if diff := cmp.Diff([]string{"linux/amd64", "linux/arm64"}, platforms); diff != "" {
			t.Errorf("platforms (-want +got):\n%s", diff)
		}
		// skopeo drops what it does not know of the index, but not of the images.
		layout := filepath.Join(t.TempDir(), "layout")
		copyImage(t, "docker://"+dst, "oci:"+layout+":v1")
		got := fromLayout(t, layout, "v1")
		got.validate(t)
		if diff := cmp.Diff(digests(index.Manifests), digests(manifests(t, got.index))); diff != "" {
			t.Errorf("images (-baked +copied):\n%s", diff)
		}
		if digest := fromRegistry(t, dst).digest.String(); digest != r.Digest {
			t.Errorf("the registry has %s, the report says %s", digest, r.Digest)
		}
	}
	one := bakeScorer(t, here+"/engine:v1", there+"/scorer:arm64", "--platform", "linux/arm64")
	if got := inspect(t, "docker://"+there+"/scorer:arm64"); got.Architecture != "arm64" || got.Digest != one.Digest {
		t.Errorf("one platform: %s for %s, want %s for arm64", got.Digest, got.Architecture, one.Digest)
	}
}

func layerDigests(t testing.TB, img v1.Image) []string {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	return digests(m.Layers)
}

func digests(descs []v1.Descriptor) []string {
	var all []string
	for _, d := range descs {
		all = append(all, d.Digest.String())
	}
	return all
}

// layersSize is the size of an image's layers as they are stored, in bytes.
func layersSize(t testing.TB, img v1.Image) int64 {
	t.Helper()
	m, err := img.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	var size int64
	for _, l := range m.Layers {
		size += l.Size
	}
	return size
}
