// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// What was attached in a layout before stays attached.
func TestPromoteLayoutKeepsOthers(t *testing.T) {
	t.Parallel()
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	file := "oci:" + t.TempDir() + "/layout:v1"
	var want []v1.Hash
	for _, kind := range []string{sbomType, signatureType} {
		from := startWith(t, registrytest.Options{}, img)
		a := artifact(t, descriptorOf(t, img), kind, kind)
		from.Push(t, "team/base@"+digestOf(t, a).String(), a)
		want = append(want, digestOf(t, a))
		promote(t, bake.PromoteOptions{}, from.Host+"/team/base:1", file)
	}
	to := registrytest.Start(t, registrytest.Options{})
	promote(t, bake.PromoteOptions{}, file, to.Host+"/prod/scorer:v1")
	slices.SortFunc(want, func(a, b v1.Hash) int { return strings.Compare(a.String(), b.String()) })
	if diff := cmp.Diff(want, referrersAt(t, to.Host+"/prod/scorer", digestOf(t, img))); diff != "" {
		t.Errorf("referrers (-want +got):\n%s", diff)
	}
}

// Some tools write a referrer into index.json and tag nothing.
func TestPromoteUntaggedReferrers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/layout"
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	writeLayout(t, dir, img, "v1")
	path := must[layout.Path](t)(layout.FromPath(dir))
	sbom := artifact(t, descriptorOf(t, img), sbomType, "sbom")
	signature := artifact(t, descriptorOf(t, sbom), signatureType, "signature")
	for _, a := range []v1.Image{signature, sbom} {
		if err := path.AppendImage(a); err != nil {
			t.Fatal(err)
		}
	}
	tarDir(t, dir, dir+".tar")
	for _, src := range []string{"oci:" + dir + ":v1", "oci-archive:" + dir + ".tar:v1"} {
		to := registrytest.Start(t, registrytest.Options{})
		promote(t, bake.PromoteOptions{RequireReferrers: []string{sbomType}}, src, to.Host+"/prod/scorer:v1")
		for subject, want := range map[v1.Hash]v1.Hash{digestOf(t, img): digestOf(t, sbom), digestOf(t, sbom): digestOf(t, signature)} {
			if diff := cmp.Diff([]v1.Hash{want}, referrersAt(t, to.Host+"/prod/scorer", subject)); diff != "" {
				t.Errorf("%s: referrers of %s (-want +got):\n%s", src, subject, diff)
			}
			pullWhole(t, to.Host+"/prod/scorer@"+want.String())
		}
	}
	// A blob that is gone is named.
	lost := manifestOf(t, img).Layers[0].Digest
	if err := os.Remove(dir + "/blobs/sha256/" + lost.Hex); err != nil {
		t.Fatal(err)
	}
	to := registrytest.Start(t, registrytest.Options{})
	_, err := bake.Promote(t.Context(), "oci:"+dir+":v1", nil, bake.PromoteOptions{}, to.Host+"/prod/scorer:v1")
	if err == nil || !strings.Contains(err.Error(), "layer "+lost.String()) || !strings.Contains(err.Error(), "is missing") {
		t.Errorf("got %v, want that %s is missing", err, lost)
	}
}
