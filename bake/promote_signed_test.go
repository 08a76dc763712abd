// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registrytest"
)

const (
	sbomType      = "application/spdx+json"
	signatureType = "application/vnd.example.signature"
)

// artifact is a manifest of one small layer that refers to subject, or to
// nothing where that is nil.
func artifact(t testing.TB, subject *v1.Descriptor, artifactType, content string) v1.Image {
	t.Helper()
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(artifactType))
	img, err := mutate.AppendLayers(img, static.NewLayer([]byte(content), types.MediaType(artifactType)))
	if err != nil {
		t.Fatal(err)
	}
	img = mutate.Annotations(img, map[string]string{"com.example.note": "<" + content + ">"}).(v1.Image)
	if subject == nil {
		return img
	}
	return mutate.Subject(img, *subject).(v1.Image)
}

func descriptorOf(t testing.TB, img partial.Describable) *v1.Descriptor {
	t.Helper()
	return must[*v1.Descriptor](t)(partial.Descriptor(img))
}

// signed is an index with what refers to it.
type signed struct {
	index     v1.ImageIndex
	top       v1.Hash
	images    []v1.Hash
	referrers map[v1.Hash][]v1.Hash // of each subject
	tags      map[string]v1.Hash    // cosign's
	shared    string                // a blob that two referrers have
}

// pushSigned puts an index for two platforms into a repository: with an SBOM
// and a signature, a signature of the SBOM, an attestation of one image,
// cosign's signature of the index and cosign's attestation of the other image.
func pushSigned(t testing.TB, srv *registrytest.Server, repo, tag string) signed {
	t.Helper()
	s := signed{
		index:     registrytest.BaseIndexOf(t, registrytest.ImageOptions{LayerSize: 20 << 10}, "linux/amd64", "linux/arm64"),
		referrers: map[v1.Hash][]v1.Hash{}, tags: map[string]v1.Hash{}, shared: "the same",
	}
	srv.Push(t, repo+":"+tag, s.index)
	s.top = must[v1.Hash](t)(s.index.Digest())
	top := descriptorOf(t, s.index)
	for _, d := range indexManifest(t, s.index).Manifests {
		s.images = append(s.images, d.Digest)
	}
	attach := func(subject *v1.Descriptor, artifactType, content string) *v1.Descriptor {
		img := artifact(t, subject, artifactType, content)
		d := descriptorOf(t, img)
		srv.Push(t, repo+"@"+d.Digest.String(), img)
		s.referrers[subject.Digest] = append(s.referrers[subject.Digest], d.Digest)
		return d
	}
	sbom := attach(top, sbomType, "bill of materials")
	attach(top, signatureType, s.shared)
	attach(sbom, signatureType, s.shared)
	first := must[v1.Image](t)(s.index.Image(s.images[0]))
	attach(descriptorOf(t, first), "application/vnd.in-toto+json", "attestation")
	for of, suffix := range map[v1.Hash]string{s.top: ".sig", s.images[1]: ".att"} {
		tag := "sha256-" + of.Hex + suffix
		img := artifact(t, nil, "application/vnd.dev.cosign"+suffix, "cosign"+suffix)
		srv.Push(t, repo+":"+tag, img)
		s.tags[tag] = digestOf(t, img)
	}
	return s
}

// checkSigned wants everything of s in a repository, byte for byte.
func checkSigned(t testing.TB, host, repo, tag string, s signed) {
	t.Helper()
	at := host + "/" + repo
	if got := digestAt(t, at+":"+tag); got != s.top {
		t.Errorf("%s:%s is %s, want %s", at, tag, got, s.top)
	}
	pullIndex(t, at+"@"+s.top.String())
	for subject, want := range s.referrers {
		got := referrersAt(t, at, subject)
		slices.SortFunc(want, func(a, b v1.Hash) int { return strings.Compare(a.String(), b.String()) })
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("referrers of %s in %s (-want +got):\n%s", subject, at, diff)
		}
		for _, d := range want {
			pullWhole(t, at+"@"+d.String())
		}
	}
	for _, tag := range slices.Sorted(maps.Keys(s.tags)) {
		if got := digestAt(t, at+":"+tag); got != s.tags[tag] {
			t.Errorf("%s:%s is %s, want %s", at, tag, got, s.tags[tag])
		} else {
			pullWhole(t, at+":"+tag)
		}
	}
}

// pullWhole reads an image or an artifact with every blob of it.
func pullWhole(t testing.TB, ref string) {
	t.Helper()
	img, err := pullAny(t, ref)
	if err != nil {
		t.Errorf("%s: %v", ref, err)
		return
	}
	if _, err := img.RawConfigFile(); err != nil {
		t.Errorf("config of %s: %v", ref, err)
	}
	for _, l := range must[[]v1.Layer](t)(img.Layers()) {
		rc, err := l.Compressed()
		if err == nil {
			_, err = io.Copy(io.Discard, rc) // it is verified as it is read
			err = errors.Join(err, rc.Close())
		}
		if err != nil {
			t.Errorf("layer of %s: %v", ref, err)
		}
	}
}

// referrersAt is what go-containerregistry finds, by the API or by the tag.
func referrersAt(t testing.TB, repo string, subject v1.Hash) []v1.Hash {
	t.Helper()
	digest, err := name.NewDigest(repo + "@" + subject.String())
	if err != nil {
		t.Fatal(err)
	}
	index, err := remote.Referrers(digest, remote.WithContext(t.Context()))
	if err != nil {
		t.Errorf("referrers of %s: %v", digest, err)
		return nil
	}
	var all []v1.Hash
	for _, d := range indexManifest(t, index).Manifests {
		all = append(all, d.Digest)
	}
	slices.SortFunc(all, func(a, b v1.Hash) int { return strings.Compare(a.String(), b.String()) })
	return all
}
