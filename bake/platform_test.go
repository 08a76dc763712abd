// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"encoding/json"
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// sharingIndex is an index of two platforms with the same layers.
func sharingIndex(t testing.TB) v1.ImageIndex {
	t.Helper()
	amd := registrytest.BaseImage(t, registrytest.ImageOptions{})
	arm := edit(t, amd, func(config, _ map[string]any) { config["architecture"] = "arm64" })
	return mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: amd, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: arm, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64"}}})
}

func indexManifest(t testing.TB, index v1.ImageIndex) *v1.IndexManifest {
	t.Helper()
	return must[*v1.IndexManifest](t)(index.IndexManifest())
}

// An editedIndex is an index with a manifest of its own.
type editedIndex struct {
	anyIndex
	raw []byte
}

// anyIndex is v1.ImageIndex by a name that is none of its methods'.
type anyIndex = v1.ImageIndex

func (e editedIndex) RawManifest() ([]byte, error) { return e.raw, nil }
func (e editedIndex) Size() (int64, error)         { return int64(len(e.raw)), nil }

func (e editedIndex) Digest() (v1.Hash, error) {
	h, _, err := v1.SHA256(strings.NewReader(string(e.raw)))
	return h, err
}

func (e editedIndex) IndexManifest() (*v1.IndexManifest, error) {
	return v1.ParseIndexManifest(strings.NewReader(string(e.raw)))
}

func editIndex(t testing.TB, index v1.ImageIndex, change func(manifest map[string]any, entries []map[string]any)) v1.ImageIndex {
	t.Helper()
	manifest := decodeObject(t, must[[]byte](t)(index.RawManifest()))
	var entries []map[string]any
	for _, e := range manifest["manifests"].([]any) {
		entries = append(entries, e.(map[string]any))
	}
	change(manifest, entries)
	return editedIndex{index, must[[]byte](t)(json.Marshal(manifest))}
}

// Everything that an index says of itself and its entries stays, but for the
// attestations, which are left out with a note.
func TestIndexStays(t *testing.T) {
	t.Parallel()
	for _, docker := range []bool{false, true} {
		t.Run(map[bool]string{true: "docker", false: "oci"}[docker], func(t *testing.T) {
			o := registrytest.ImageOptions{Docker: docker}
			index := registrytest.BaseIndexOf(t, o, "linux/arm/v7", registrytest.Attestation, "linux/amd64", registrytest.Attestation)
			index = mutate.AppendManifests(index, mutate.IndexAddendum{
				Add: edit(t, registrytest.BaseImage(t, o), func(config, _ map[string]any) {
					config["os.version"], config["os.features"] = "10.0.1", []string{"x"}
				}),
				Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64", OSVersion: "10.0.1", OSFeatures: []string{"x"}}},
			})
			base := editIndex(t, index, func(manifest map[string]any, entries []map[string]any) {
				manifest["x-index"] = "<&>"
				entries[0]["x-entry"] = json.Number("9007199254740993")
				entries[2]["platform"].(map[string]any)["x-platform"] = true
			})
			srv := startWith(t, registrytest.Options{}, base)
			report := doBake(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
			index = pullIndex(t, srv.Host+"/team/scorer:1")

			was, is := members(t, must[[]byte](t)(base.RawManifest())), members(t, must[[]byte](t)(index.RawManifest()))
			before, after := elements(t, was["manifests"]), elements(t, is["manifests"])
			before = []string{before[0], before[2], before[4]}
			if len(after) != len(before) {
				t.Fatalf("%d entries, want %d", len(after), len(before))
			}
			for i := range before {
				w, g := members(t, []byte(before[i])), members(t, []byte(after[i]))
				if diff := cmp.Diff(without(t, w, "digest", "size"), without(t, g, "digest", "size")); diff != "" {
					t.Errorf("entry %d:\n%s", i, diff)
				}
			}
			want := maps.Clone(indexManifest(t, base).Annotations)
			if !docker {
				want["org.opencontainers.image.base.name"] = srv.Host + "/team/base:1"
				want["org.opencontainers.image.base.digest"] = digestOf(t, base).String()
			}
			if diff := cmp.Diff(want, indexManifest(t, index).Annotations); diff != "" {
				t.Errorf("annotations:\n%s", diff)
			}
			delete(was, "annotations")
			delete(is, "annotations")
			if diff := cmp.Diff(without(t, was, "manifests"), without(t, is, "manifests")); diff != "" {
				t.Errorf("index:\n%s", diff)
			}
			if len(report.Notes) != 2 || !strings.HasPrefix(report.Notes[0], "left out sha256:") || !strings.Contains(report.Notes[0], "attest") {
				t.Errorf("notes %q, want one an attestation", report.Notes)
			}
			checkPlatforms(t, report, base, index)
		})
	}
}

// checkPlatforms wants every child's record to name its own platform's base.
func checkPlatforms(t *testing.T, report *bake.Report, base, index v1.ImageIndex) {
	t.Helper()
	own := map[string]v1.Hash{}
	for _, d := range indexManifest(t, base).Manifests {
		own[d.Platform.String()] = d.Digest
	}
	for i, d := range indexManifest(t, index).Manifests {
		img := must[v1.Image](t)(index.Image(d.Digest))
		want := own[d.Platform.String()]
		if got := recordOf(t, img).Base.Digest; got != want {
			t.Errorf("%s: the record's base is %s, want %s", d.Platform, got, want)
		}
		if got, ok := manifestOf(t, img).Annotations["org.opencontainers.image.base.digest"]; ok && got != want.String() {
			t.Errorf("%s: the annotated base is %s, want %s", d.Platform, got, want)
		}
		entry := bake.ReportPlatform{Platform: d.Platform.String(), Digest: d.Digest, BaseDigest: want, ConfigDigest: manifestOf(t, img).Config.Digest}
		if diff := cmp.Diff(entry, report.Platforms[i]); diff != "" {
			t.Errorf("report (-want +got):\n%s", diff)
		}
	}
}

func TestPlatforms(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		base   []string // of the index; one without "index" is a plain image
		choose []string
		want   []string // platforms; one is a plain image
		index  bool
		err    string
	}{
		{name: "all", base: []string{"linux/amd64", "linux/arm64/v8"}, want: []string{"linux/amd64", "linux/arm64/v8"}, index: true},
		{name: "an index of one", base: []string{"linux/amd64"}, want: []string{"linux/amd64"}, index: true},
		{name: "one", base: []string{"linux/amd64", "linux/arm64/v8"}, choose: []string{"linux/amd64"}, want: []string{"linux/amd64"}},
		{name: "arm64 is arm64/v8", base: []string{"linux/amd64", "linux/arm64/v8"}, choose: []string{"linux/arm64"}, want: []string{"linux/arm64/v8"}},
		{name: "arm64/v8 is arm64", base: []string{"linux/amd64", "linux/arm64"}, choose: []string{"linux/arm64/v8"}, want: []string{"linux/arm64"}},
		{
			name: "two, in the base's order", base: []string{"linux/amd64", "linux/s390x", "linux/arm64"},
			choose: []string{"linux/arm64", "linux/amd64"}, want: []string{"linux/amd64", "linux/arm64"}, index: true,
		},
		{name: "one twice", base: []string{"linux/amd64", "linux/arm64"}, choose: []string{"linux/arm64", "linux/arm64/v8"}, want: []string{"linux/arm64"}},
		{
			name: "every variant", base: []string{"linux/arm/v6", "linux/amd64", "linux/arm/v7"},
			choose: []string{"linux/arm"}, want: []string{"linux/arm/v6", "linux/arm/v7"}, index: true,
		},
		{
			name: "missing", base: []string{"linux/amd64", "linux/arm/v7", registrytest.Attestation},
			choose: []string{"linux/amd64", "linux/riscv64"}, err: "no image for platform linux/riscv64: not found; it has linux/amd64, linux/arm/v7",
		},
		{name: "other variant", base: []string{"linux/arm/v6"}, choose: []string{"linux/arm/v7"}, err: "it has linux/arm/v6"},
		{name: "attestation", base: []string{"linux/amd64", registrytest.Attestation}, choose: []string{registrytest.Attestation}, err: "it has linux/amd64"},
		{name: "nothing but attestations", base: []string{registrytest.Attestation}, err: "no image in its index"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{}, registrytest.BaseIndex(t, tc.base...))
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
			spec.Platforms = tc.choose
			report, err := bake.Bake(t.Context(), spec, nil, bake.Options{NoCheck: true})
			if tc.err != "" {
				if !errors.Is(err, bake.ErrNotFound) || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v, want not found: %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range report.Platforms {
				got = append(got, p.Platform)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("platforms (-want +got):\n%s", diff)
			}
			if report.MediaType.IsIndex() != tc.index {
				t.Errorf("media type %s", report.MediaType)
			}
			if tc.index {
				pullIndex(t, srv.Host+"/team/scorer:1")
			} else {
				pullImage(t, srv.Host+"/team/scorer:1")
			}
		})
	}
}

func TestPlatformOfPlainImage(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{Platform: "linux/arm64"}))
	for _, tc := range []struct {
		platform string
		is       error
	}{
		{"linux/arm64", nil},
		{"linux/arm64/v8", nil},
		{"linux/amd64", bake.ErrNotFound},
	} {
		spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
		spec.Platforms = []string{tc.platform}
		_, err := bake.Bake(t.Context(), spec, nil, bake.Options{NoCheck: true})
		if !errors.Is(err, tc.is) {
			t.Errorf("%s: got %v, want %v", tc.platform, err, tc.is)
		}
		if tc.is != nil && (err == nil || !strings.Contains(err.Error(), "it has linux/arm64")) {
			t.Errorf("%s: %v does not say what there is", tc.platform, err)
		}
	}
}

func TestUnusualIndexes(t *testing.T) {
	plain := registrytest.BaseImage(t, registrytest.ImageOptions{})
	artifact := edit(t, plain, func(_, manifest map[string]any) {
		manifest["config"].(map[string]any)["mediaType"] = "application/vnd.example.chart"
	})
	for _, tc := range []struct {
		name  string
		index v1.ImageIndex
		err   string
		notes int
	}{
		{
			name:  "an index within an index",
			index: mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: registrytest.BaseIndex(t, "linux/amd64")}),
			err:   "an index within an index",
		},
		{
			name:  "an artifact",
			index: mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: artifact}),
			err:   "artifact",
		},
		{
			name:  "no platform in the index",
			index: mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: plain}),
		},
		{
			name: "an attestation without annotations",
			index: mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: plain},
				mutate.IndexAddendum{Add: artifact, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "unknown", Architecture: "unknown"}}}),
			notes: 1,
		},
		{
			name: "something that is no image",
			index: editIndex(t, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: plain}, mutate.IndexAddendum{Add: artifact}),
				func(_ map[string]any, entries []map[string]any) {
					entries[1]["mediaType"] = "application/vnd.example.thing+json"
				}),
			notes: 1,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := registrytest.Start(t, registrytest.Options{})
			srv.Push(t, "team/base:artifact", artifact)
			srv.Push(t, "team/base:plain", plain)
			srv.Push(t, "team/base:inner", registrytest.BaseIndex(t, "linux/amd64"))
			if err := remote.Put(srv.Ref(t, "team/base:1"), tc.index); err != nil {
				t.Fatal(err)
			}
			report, err := bake.Bake(t.Context(), scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"), nil, bake.Options{NoCheck: true})
			if tc.err != "" {
				if err == nil || !strings.Contains(err.Error(), tc.err) {
					t.Errorf("got %v, want %s", err, tc.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			index := pullIndex(t, srv.Host+"/team/scorer:1")
			if m := indexManifest(t, index).Manifests; len(m) != 1 || m[0].Platform != nil {
				t.Errorf("entries %v, want one without a platform", m)
			}
			if len(report.Notes) != tc.notes {
				t.Errorf("notes %q", report.Notes)
			}
			if report.Platforms[0].Platform != "linux/amd64" {
				t.Errorf("platform %q", report.Platforms[0].Platform)
			}
		})
	}
}

// An image that is about another one, such as a signature's, does not make the
// bake be about that one.
func TestSubject(t *testing.T) {
	plain := registrytest.BaseImage(t, registrytest.ImageOptions{})
	subject := map[string]any{"mediaType": string(manifestOf(t, plain).MediaType), "digest": digestOf(t, plain).String(), "size": 1}
	about := edit(t, plain, func(_, manifest map[string]any) { manifest["subject"] = subject })
	index := editIndex(t, mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: about}), func(manifest map[string]any, _ []map[string]any) {
		manifest["subject"] = subject
	})
	srv := startWith(t, registrytest.Options{}, plain)
	srv.Push(t, "team/base:about", about)
	srv.Push(t, "team/base:index", index)
	doBake(t, scorer(srv.Host+"/team/base:about", srv.Host+"/team/scorer:1"))
	if got := manifestOf(t, pullImage(t, srv.Host+"/team/scorer:1")).Subject; got != nil {
		t.Errorf("the image's subject is %v", got)
	}
	doBake(t, scorer(srv.Host+"/team/base:index", srv.Host+"/team/scorer:2"))
	if got := indexManifest(t, pullIndex(t, srv.Host+"/team/scorer:2")).Subject; got != nil {
		t.Errorf("the index's subject is %v", got)
	}
}
