// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// Documents that tell something else than the image are mismatches; those of
// other tools are theirs.
func TestVerifyDocuments(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, multi(t))
	report, err := bake.Bake(t.Context(), scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"), nil, documented())
	if err != nil {
		t.Fatal(err)
	}
	model := recordOf(t, pullImage(t, srv.Host+"/team/scorer@"+report.Platforms[0].Digest.String())).Assets[0]
	other := strings.Repeat("7", 64)
	image := srv.Host + "/team/scorer"
	for _, tc := range []struct {
		name, kind string
		subject    v1.Hash
		change     func(raw []byte) []byte
		want       []string
	}{
		{"content in an SBOM", cycloneDXType, report.Platforms[0].Digest, replacing(model.SHA256, other), []string{
			"SBOM " + model.Path + ": has sha256 " + other + ", the record says " + model.SHA256,
		}},
		{"content in provenance", provenanceType, report.Digest, replacing(model.SHA256, other), []string{
			"provenance " + model.Path + ": has sha256 " + other + ", the image says sha256 " + model.SHA256,
		}},
		{"subject in an SBOM", cycloneDXType, report.Digest, replacing(report.Digest.Hex, other), []string{
			"SBOM sha256:" + other + ": is the image that it is about, not " + report.Digest.String(),
		}},
		{"subject in provenance", provenanceType, report.Platforms[1].Digest, replacing(report.Platforms[1].Digest.Hex, other), []string{
			"provenance sha256:" + other + ": is its subject, not " + report.Platforms[1].Digest.String(),
		}},
		{"another tool's SBOM", cycloneDXType, report.Digest, replacing(`"name":"crane-bake"`, `"name":"another"`), nil},
		{"another tool's provenance", provenanceType, report.Digest, replacing("crane-bake/crane-bake/blob", "x"), nil},
		{"not JSON", provenanceType, report.Digest, func([]byte) []byte { return []byte("{") }, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			raw := tc.change(content(t, image, attached(report, tc.subject)[tc.kind]))
			repo := "forged/" + strings.ReplaceAll(strings.ToLower(tc.name), " ", "-")
			repo = strings.ReplaceAll(repo, "'", "")
			if _, err := bake.Promote(t.Context(), image+":1", nil, bake.PromoteOptions{NoReferrers: true}, srv.Host+"/"+repo+":1"); err != nil {
				t.Fatal(err)
			}
			subject := must[*remote.Descriptor](t)(remote.Get(reference(t, srv.Host+"/"+repo+"@"+tc.subject.String())))
			forged := artifactOf(t, subject.Descriptor, tc.kind, raw)
			srv.Push(t, repo+"@"+digestOf(t, forged).String(), forged)
			v, err := bake.Verify(t.Context(), srv.Host+"/"+repo+":1", nil, bake.VerifyOptions{})
			if len(tc.want) > 0 {
				mismatches(t, v, err, tc.want)
				return
			}
			if err != nil {
				t.Errorf("got %v %v", err, foundIn(err))
			}
			if notes := strings.Join(v.Notes, "\n"); strings.Contains(notes, "is not understood") != (tc.name == "not JSON") {
				t.Errorf("notes %q", notes)
			}
		})
	}
	// Of a part of the platforms, only their own documents are compared.
	if _, err := bake.Verify(t.Context(), image+":1", nil, bake.VerifyOptions{Platforms: []string{"linux/arm64"}}); err != nil {
		t.Errorf("one platform: %v %v", err, foundIn(err))
	}
}

func replacing(old, now string) func(raw []byte) []byte {
	return func(raw []byte) []byte { return bytes.ReplaceAll(raw, []byte(old), []byte(now)) }
}

// artifactOf is a manifest of one layer that has the artifact's type, like its
// config.
func artifactOf(t testing.TB, subject v1.Descriptor, kind string, raw []byte) v1.Image {
	t.Helper()
	img := artifact(t, &v1.Descriptor{MediaType: subject.MediaType, Size: subject.Size, Digest: subject.Digest}, kind, "")
	m := decodeObject(t, must[[]byte](t)(img.RawManifest()))
	layer := static.NewLayer(raw, types.MediaType(kind))
	m["layers"] = []any{map[string]any{"mediaType": kind, "size": len(raw), "digest": digestOfBytes(t, raw).String()}}
	return withOnly{img, must[[]byte](t)(json.Marshal(m)), layer}
}

// withOnly is an image with another manifest, of one layer.
type withOnly struct {
	v1.Image
	manifest []byte
	layer    v1.Layer
}

func (w withOnly) RawManifest() ([]byte, error) { return w.manifest, nil }
func (w withOnly) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(bytes.NewReader(w.manifest))
	return h, err
}

func (w withOnly) Manifest() (*v1.Manifest, error) {
	return v1.ParseManifest(bytes.NewReader(w.manifest))
}
func (w withOnly) Layers() ([]v1.Layer, error) { return []v1.Layer{w.layer}, nil }
