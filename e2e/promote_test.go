// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// promoteAll promotes with the command and returns the report.
func promoteAll(t testing.TB, args ...string) result {
	t.Helper()
	var r result
	out := run(t, craneBake, append([]string{"promote", "--quiet", "--format", "json"}, args...)...)
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("reading the report: %v\n%s", err, out)
	}
	return r
}

// A family is an image with everything that refers to it.
type family struct {
	refs      []string             // what there is in a repository: tags and digests
	referrers map[v1.Hash][]string // the digests of what refers to each manifest
}

// pushFamily puts an index for two platforms into REGISTRY/REPO as v1: with a
// bill of materials and its signature, an attestation of one image, and a
// signature in cosign's way.
func pushFamily(t testing.TB, repo string) family {
	t.Helper()
	index := registrytest.BaseIndex(t, "linux/amd64", "linux/arm64")
	push(t, repo+":v1", index)
	f := family{refs: []string{":v1"}, referrers: map[v1.Hash][]string{}}
	described := func(m partial.Describable) *v1.Descriptor {
		d, err := partial.Descriptor(m)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	artifact := func(kind string, subject *v1.Descriptor) *v1.Descriptor {
		img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.MediaType(kind))
		img, err := mutate.AppendLayers(img, static.NewLayer([]byte(kind), types.MediaType(kind)))
		if err != nil {
			t.Fatal(err)
		}
		if subject == nil {
			top, _, _ := strings.Cut(described(index).Digest.String(), ":")
			tag := ":" + top + "-" + described(index).Digest.Hex + ".sig"
			push(t, repo+tag, img)
			f.refs = append(f.refs, tag)
			return described(img)
		}
		img = mutate.Subject(img, *subject).(v1.Image)
		d := described(img)
		push(t, repo+"@"+d.Digest.String(), img)
		f.refs = append(f.refs, "@"+d.Digest.String())
		f.referrers[subject.Digest] = append(f.referrers[subject.Digest], d.Digest.String())
		return d
	}
	sbom := artifact("application/spdx+json", described(index))
	artifact("application/vnd.example.signature", sbom)
	artifact("application/vnd.dev.cosign.artifact.sig.v1+json", nil)
	for i, d := range manifests(t, index) {
		f.refs = append(f.refs, "@"+d.Digest.String())
		if i == 0 {
			artifact("application/vnd.in-toto+json", &d)
		}
	}
	return f
}

// check wants the same bytes in two repositories, as skopeo reads them, and
// the same referrers, as go-containerregistry finds them.
func (f family) check(t testing.TB, from, to string) {
	t.Helper()
	for _, ref := range f.refs {
		raw := func(repo string) []byte {
			return skopeo(t, "inspect", "--raw", "--tls-verify=false", "docker://"+repo+ref)
		}
		if !bytes.Equal(raw(from), raw(to)) {
			t.Errorf("%s is not what %s has", to+ref, from)
		}
	}
	for subject, want := range f.referrers {
		index, err := remote.Referrers(parse(t, to).Context().Digest(subject.String()), remote.WithContext(t.Context()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(digests(manifests(t, index))))); diff != "" {
			t.Errorf("referrers of %s in %s (-want +got):\n%s", subject, to, diff)
		}
	}
	fromRegistry(t, to+":v1").validate(t)
}

// A registry without the referrers API, one with it, and a layout between
// them, in both directions.
func TestPromoteFamily(t *testing.T) {
	plain := startRegistry(t)
	modern := registrytest.Start(t, registrytest.Options{}).Host
	for _, tt := range []struct{ name, from, to string }{
		{"from plain to modern", plain, modern},
		{"from modern to plain", modern, plain},
		{"from plain to plain", plain, startRegistry(t)},
		{"within plain", plain, plain},
		{"within modern", modern, modern},
	} {
		t.Run(tt.name, func(t *testing.T) {
			from, repo := tt.from+"/dev/scorer", strings.ReplaceAll(tt.name, " ", "-")
			f := pushFamily(t, from)
			promoteAll(t, from+":v1", tt.to+"/"+repo+":v1")
			f.check(t, from, tt.to+"/"+repo)

			layout := "oci:" + filepath.Join(t.TempDir(), "layout") + ":v1"
			promoteAll(t, from+":v1", layout)
			if want, got := skopeo(t, "inspect", "--raw", "--tls-verify=false", "docker://"+from+":v1"), skopeo(t, "inspect", "--raw", layout); !bytes.Equal(want, got) {
				t.Errorf("the layout has\n%s\nwant\n%s", got, want)
			}
			promoteAll(t, layout, tt.to+"/"+repo+"/back:v1")
			f.check(t, from, tt.to+"/"+repo+"/back")

			if again := promoteAll(t, layout, tt.to+"/"+repo+":v1", "--no-clobber"); again.Transfer["copiedBytes"]+again.Transfer["mountedBytes"] != 0 {
				t.Errorf("the second time moved %v", again.Transfer)
			}
		})
	}
}

// What a promotion of an engine of 300 MB with a model of 100 MB moves: the
// registries count.
func TestPromoteBudget(t *testing.T) {
	here := registrytest.Start(t, registrytest.Options{Options: regserver.Options{Dir: t.TempDir()}})
	there := registrytest.Start(t, registrytest.Options{Options: regserver.Options{Dir: t.TempDir()}})
	img := registrytest.BaseImage(t, registrytest.ImageOptions{})
	for seed := range byte(4) {
		content := make([]byte, 100<<20)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(content) // never fails
		var err error
		if img, err = mutate.AppendLayers(img, static.NewLayer(content, types.OCILayer)); err != nil {
			t.Fatal(err)
		}
	}
	push(t, here.Host+"/dev/scorer:v1", img)
	size := layersSize(t, img)
	const budget = 64 << 10

	here.Reset()
	promoteAll(t, here.Host+"/dev/scorer:v1", here.Host+"/prod/scorer:v1")
	if n := here.UploadedBytes() + here.DownloadedBytes(); n == 0 || n >= budget {
		t.Errorf("within the registry %d bytes moved, want less than %d", n, budget)
	}
	here.Reset()
	promoteAll(t, here.Host+"/dev/scorer:v1", there.Host+"/prod/scorer:v1")
	if up, down := there.UploadedBlobBytes(), here.DownloadedBlobBytes(); up != down || up < size || up >= size+budget {
		t.Errorf("to the other registry %d bytes of blobs were sent and %d read, want %d and a config", up, down, size)
	}
	here.Reset()
	there.Reset()
	promoteAll(t, here.Host+"/dev/scorer:v1", there.Host+"/prod/scorer:v1", there.Host+"/prod/scorer:v2")
	if n := there.UploadedBlobBytes() + here.DownloadedBlobBytes() + there.DownloadedBlobBytes(); n != 0 {
		t.Errorf("the second time %d bytes of blobs moved, want none", n)
	}
}
