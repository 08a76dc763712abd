// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package registrytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// engineConfig is written by hand rather than from v1.ConfigFile: it has
// fields that the type does not know, a number that no float64 holds, and
// characters that Go's encoder would escape.
func engineConfig(o ImageOptions, diffIDs []string) ([]byte, error) {
	platform, err := v1.ParsePlatform(o.Platform)
	if err != nil {
		return nil, err
	}
	labels := map[string]string{
		"maintainer":                        "Engine <engine@example.com>",
		"org.opencontainers.image.version":  "1.10",
		"org.opencontainers.image.licenses": "Apache-2.0 & others",
	}
	maps.Copy(labels, o.Labels)
	var history []map[string]any
	for i := range diffIDs {
		history = append(history, map[string]any{
			"created":    "2020-02-20T20:02:20.123456789Z",
			"created_by": fmt.Sprintf("/bin/sh -c #(nop) ADD part-%d in / && true", i),
		})
	}
	history = append(history, map[string]any{
		"created":     "2020-02-20T20:02:20.123456789Z",
		"created_by":  `/bin/sh -c #(nop)  ENTRYPOINT ["/engine"]`,
		"empty_layer": true,
	})
	config := map[string]any{
		"architecture": platform.Architecture,
		"os":           platform.OS,
		"created":      "2020-02-20T20:02:20.123456789Z",
		"author":       "Engine <engine@example.com>",
		"config": map[string]any{
			"Entrypoint":      []string{"/engine"},
			"User":            "1000",
			"WorkingDir":      "/fastscore",
			"ExposedPorts":    map[string]any{"8003/tcp": struct{}{}},
			"Env":             append([]string{"PATH=/usr/local/bin:/usr/bin:/bin", "ENGINE_HOME=/fastscore"}, o.Env...),
			"Labels":          labels,
			"OnBuild":         nil,
			"StopSignal":      "SIGTERM",
			"Healthcheck":     map[string]any{"Test": []string{"CMD", "/engine", "-check"}, "Interval": 30_000_000_000},
			"X-Engine-Limits": map[string]any{"sockets": json.Number("9007199254740993")},
		},
		"docker_version":  "19.03.5",
		"x-engine-build":  json.Number("9007199254740993"),
		"x-engine-suites": []any{"<pfa>", nil, 1.5},
		"history":         history,
		"rootfs":          map[string]any{"type": "layers", "diff_ids": diffIDs},
	}
	if platform.Variant != "" {
		config["variant"] = platform.Variant
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	err = enc.Encode(config)
	return out.Bytes(), err
}

// Attestation is the platform of an index's entry that is no image.
const Attestation = "unknown/unknown"

// BaseIndex is an index of base images, one for each platform OS/ARCH[/VARIANT].
// An Attestation among them stands for a provenance attestation of the image
// before it. The index and its descriptors have annotations.
func BaseIndex(t testing.TB, platforms ...string) v1.ImageIndex {
	t.Helper()
	return BaseIndexOf(t, ImageOptions{}, platforms...)
}

// BaseIndexOf is BaseIndex with images that differ from o by their platform. A
// Docker one has no annotations, which Docker's manifest lists don't know.
func BaseIndexOf(t testing.TB, o ImageOptions, platforms ...string) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	var subject v1.Hash
	for _, p := range platforms {
		platform, err := v1.ParsePlatform(p)
		if err != nil {
			t.Fatal(err)
		}
		desc := v1.Descriptor{Platform: platform}
		var img v1.Image
		if p == Attestation {
			img = attestation(t, subject)
			desc.Annotations = map[string]string{
				"vnd.docker.reference.type":   "attestation-manifest",
				"vnd.docker.reference.digest": subject.String(),
			}
		} else {
			o.Platform = p
			img = BaseImage(t, o)
			if subject, err = img.Digest(); err != nil {
				t.Fatal(err)
			}
			if !o.Docker {
				desc.Annotations = map[string]string{"com.example.engine.platform": p}
			}
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: img, Descriptor: desc})
	}
	if o.Docker {
		return mutate.IndexMediaType(index, types.DockerManifestList)
	}
	return mutate.Annotations(index, map[string]string{"com.example.engine.channel": "stable"}).(v1.ImageIndex)
}

// attestation is an image manifest as BuildKit makes it for a statement about
// the subject.
func attestation(t testing.TB, subject v1.Hash) v1.Image {
	t.Helper()
	const predicate = "https://slsa.dev/provenance/v0.2"
	statement := fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v0.1","predicateType":%q,"subject":[{"digest":{"sha256":%q}}]}`,
		predicate, subject.Hex)
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err := mutate.Append(img, mutate.Addendum{
		Layer:       static.NewLayer([]byte(statement), "application/vnd.in-toto+json"),
		Annotations: map[string]string{"in-toto.io/predicate-type": predicate},
	})
	if err != nil {
		t.Fatalf("making an attestation: %v", err)
	}
	return img
}
