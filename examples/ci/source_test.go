// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package ci_test

import (
	"encoding/json"
	"io"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	ggcr "github.com/google/go-containerregistry/pkg/v1/remote"
)

// A source is a dependency of that name, as provenance writes it.
type source struct {
	URI         string
	Digest      map[string]string
	Annotations map[string]any
}

// sources is what the provenance of an image says it was made from: one of each
// statement that is attached to it.
func (w *world) sources(t *testing.T, repoTag string) []source {
	t.Helper()
	options := []ggcr.Option{ggcr.WithContext(t.Context()), ggcr.WithAuth(&authn.Basic{Username: user, Password: password})}
	repo := w.registry.Ref(t, repoTag).Context()
	listed, err := ggcr.Referrers(repo.Digest(mustDigest(t, w.registry, repoTag)), options...)
	if err != nil {
		t.Fatal(err)
	}
	list, err := listed.IndexManifest()
	if err != nil {
		t.Fatal(err)
	}
	var all []source
	for _, d := range list.Manifests {
		if d.ArtifactType != "application/vnd.in-toto+json" {
			continue
		}
		artifact, err := ggcr.Image(repo.Digest(d.Digest.String()), options...)
		if err != nil {
			t.Fatal(err)
		}
		layers, err := artifact.Layers()
		if err != nil || len(layers) != 1 {
			t.Fatalf("%d layers, error %v", len(layers), err)
		}
		blob, err := layers[0].Compressed()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(blob)
		if err != nil {
			t.Fatal(err)
		}
		var statement struct {
			Predicate struct {
				BuildDefinition struct {
					ResolvedDependencies []struct {
						Name string
						source
					}
				}
			}
		}
		if err := json.Unmarshal(content, &statement); err != nil {
			t.Fatal(err)
		}
		for _, dependency := range statement.Predicate.BuildDefinition.ResolvedDependencies {
			if dependency.Name == "source" {
				all = append(all, dependency.source)
			}
		}
	}
	return all
}
