// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

const (
	cycloneDXType  = "application/vnd.cyclonedx+json"
	provenanceType = "application/vnd.in-toto+json"
)

// documented is what attaches everything.
func documented() bake.Options {
	return bake.Options{SBOM: bake.SBOMCycloneDX, Provenance: &bake.Provenance{
		Builder: "https://ci.example.com", Invocation: "https://ci.example.com/run/1",
		Source: bake.Source{URI: "git+https://example.com/team/scorer", Revision: strings.Repeat("5", 40)},
	}}
}

// multi is a base for two platforms.
func multi(t testing.TB) remote.Taggable {
	return registrytest.BaseIndex(t, "linux/amd64", "linux/arm64")
}

// subjectsOf is every manifest that documents are attached to.
func subjectsOf(r *bake.Report) []v1.Hash {
	var all []v1.Hash
	for _, p := range r.Platforms {
		all = append(all, p.Digest)
	}
	if !slices.Contains(all, r.Digest) {
		all = append(all, r.Digest)
	}
	return all
}

// referrersIn is what a location lists for a subject: artifact type to digest.
func referrersIn(t testing.TB, location string, subject v1.Hash) map[string]v1.Hash {
	t.Helper()
	found, err := bake.Inspect(t.Context(), location, nil, bake.InspectOptions{Referrers: true})
	if err != nil {
		t.Fatal(err)
	}
	if found.Digest != subject || len(found.Notes) != 0 {
		t.Fatalf("%s is %s, want %s; notes %q", location, found.Digest, subject, found.Notes)
	}
	all := map[string]v1.Hash{}
	for _, r := range found.Referrers {
		if r.Subject != subject {
			t.Errorf("%s is a referrer of %s", r.Digest, r.Subject)
		}
		all[r.ArtifactType] = r.Digest
	}
	return all
}

// attached is the report's documents of one subject.
func attached(r *bake.Report, subject v1.Hash) map[string]v1.Hash {
	all := map[string]v1.Hash{}
	for _, ref := range r.Referrers {
		if ref.Subject == subject {
			all[ref.ArtifactType] = ref.Digest
		}
	}
	return all
}

// content is the document in a repository.
func content(t testing.TB, repo string, digest v1.Hash) []byte {
	t.Helper()
	img := must[v1.Image](t)(remote.Image(reference(t, repo+"@"+digest.String())))
	layers := must[[]v1.Layer](t)(img.Layers())
	if len(layers) != 1 {
		t.Fatalf("%d layers, want 1", len(layers))
	}
	rc, err := layers[0].Compressed()
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(rc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Documents are attached to every image and the index, once, on registries with
// the referrers API and without, and verify finds nothing wrong with them.
func TestDocuments(t *testing.T) {
	for _, tc := range []struct {
		name     string
		base     func(t testing.TB) remote.Taggable
		noAPI    bool
		subjects int
	}{
		{"image", func(t testing.TB) remote.Taggable { return registrytest.BaseImage(t, registrytest.ImageOptions{}) }, false, 1},
		{"Docker's image", func(t testing.TB) remote.Taggable {
			return registrytest.BaseImage(t, registrytest.ImageOptions{Docker: true})
		}, false, 1},
		{"index", multi, false, 3},
		{"index without the API", multi, true, 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{Options: regserver.Options{NoReferrers: tc.noAPI}}, tc.base(t))
			tag := srv.Host + "/team/scorer:1"
			spec := scorer(srv.Host+"/team/base:1", tag)
			report, err := bake.Bake(t.Context(), spec, nil, documented())
			if err != nil {
				t.Fatal(err)
			}
			subjects := subjectsOf(report)
			if len(subjects) != tc.subjects || len(report.Referrers) != 2*tc.subjects {
				t.Errorf("%d subjects and %d documents, want %d and two each", len(subjects), len(report.Referrers), tc.subjects)
			}
			for _, s := range subjects {
				want := attached(report, s)
				at := srv.Host + "/team/scorer@" + s.String()
				if diff := cmp.Diff(want, referrersIn(t, at, s)); diff != "" || len(want) != 2 {
					t.Errorf("%d attached to %s (-want +got):\n%s", len(want), s, diff)
				}
			}
			checks := 0
			for _, p := range verified(t, tag).Platforms {
				for _, c := range p.Checks {
					if c.Check == "documents" && c.Result == bake.CheckPassed {
						checks++
					}
				}
			}
			if checks != len(report.Platforms) {
				t.Errorf("documents of %d platforms were verified, want %d", checks, len(report.Platforms))
			}
			// Again, with another remote: nothing more is attached.
			srv.Reset()
			again, err := bake.Bake(t.Context(), spec, nil, documented())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(report.Referrers, again.Referrers); diff != "" {
				t.Errorf("baked again (-want +got):\n%s", diff)
			}
			for _, r := range report.Referrers {
				if n := srv.Count(http.MethodPut, "/v2/team/scorer/manifests/"+r.Digest.String()); n != 0 {
					t.Errorf("%s was attached %d times more", r.Digest, n)
				}
			}
			if n := srv.Count(http.MethodPut, "/v2/team/scorer/manifests/sha256-*"); n != 0 {
				t.Errorf("a list of referrers was written %d times more", n)
			}
		})
	}
}

// The same documents come from Publish, from a fleet and in files, and promote
// carries them.
func TestDocumentsEverywhere(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, multi(t))
	dir := t.TempDir()
	base, opts := srv.Host+"/team/base:1", documented()
	baked, err := bake.Bake(t.Context(), scorer(base, srv.Host+"/team/scorer:1"), nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	layout, archive := "oci:"+filepath.Join(dir, "layout")+":v1", "oci-archive:"+filepath.Join(dir, "archive.tar")+":v1"
	for name, publish := range map[string]func(ctx context.Context, tag string) (*bake.Report, error){
		"publish": func(ctx context.Context, tag string) (*bake.Report, error) {
			from, err := bake.Open(ctx, base, nil)
			if err != nil {
				return nil, err
			}
			img, err := bake.Build(from, newPlan(t, scorer(base)))
			if err != nil {
				return nil, err
			}
			return bake.Publish(ctx, img, nil, bake.PublishOptions{SBOM: opts.SBOM, Provenance: opts.Provenance}, tag)
		},
		"fleet": func(ctx context.Context, tag string) (*bake.Report, error) {
			fleet := bake.NewFleet(nil, opts)
			defer fleet.Close()
			return fleet.Bake(ctx, newPlan(t, scorer(base, tag)), nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := publish(t.Context(), srv.Host+"/team/"+name+":1")
			if err != nil {
				t.Fatal(err)
			}
			// The SBOM is about the image alone; provenance names the place.
			for _, s := range subjectsOf(report) {
				if want, got := attached(baked, s), attached(report, s); got[cycloneDXType] != want[cycloneDXType] || got[provenanceType] == want[provenanceType] || got[cycloneDXType] == (v1.Hash{}) {
					t.Errorf("%s has %v, as baked %v", s, got, want)
				}
			}
			verified(t, srv.Host+"/team/"+name+":1")
		})
	}
	for _, tag := range []string{layout, archive} {
		var reports []*bake.Report
		for range 2 {
			report, err := bake.Bake(t.Context(), scorer(base, tag), nil, opts)
			if err != nil {
				t.Fatal(err)
			}
			reports = append(reports, report)
			// What layouts hold is of OCI's media types, like this base.
			if diff := cmp.Diff(attached(report, report.Digest), referrersIn(t, tag, report.Digest)); diff != "" || report.Digest != baked.Digest {
				t.Errorf("%s is %s, its referrers (-want +got):\n%s", tag, report.Digest, diff)
			}
			verified(t, tag)
		}
		if diff := cmp.Diff(reports[0].Referrers, reports[1].Referrers); diff != "" {
			t.Errorf("%s baked again (-want +got):\n%s", tag, diff)
		}
		for repo, from := range map[string]string{"promoted": srv.Host + "/team/scorer:1", "filed": tag} {
			to := srv.Host + "/other/" + repo + ":1"
			r, err := bake.Promote(t.Context(), from, nil, bake.PromoteOptions{RequireReferrers: []string{cycloneDXType, provenanceType}, Verify: &bake.VerifyOptions{}}, to)
			if err != nil {
				t.Fatal(err)
			}
			if r.Referrers != 6 || len(referrersIn(t, to, r.Digest)) != 2 {
				t.Errorf("%s: %d referrers went along, want 6", from, r.Referrers)
			}
		}
	}
	_, err = bake.Bake(t.Context(), scorer(base, "docker-archive:"+filepath.Join(dir, "d.tar")), nil, opts)
	if !errors.Is(err, bake.ErrUsage) || !strings.Contains(fmt.Sprint(err), "docker-archive") {
		t.Errorf("a docker-archive: %v, want a usage error", err)
	}
	if _, err := bake.Bake(t.Context(), scorer(base, layout), nil, bake.Options{SBOM: "xml"}); !errors.Is(err, bake.ErrUsage) {
		t.Errorf("format xml: %v, want a usage error", err)
	}
}

// Documents hold nothing that may be secret, and are the same for the same
// image.
func TestDocumentsHoldNoSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	srv := startWith(t, registrytest.Options{}, multi(t))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	files := scorerFiles()
	files["rest.json"].Data = bytes.Replace(files["rest.json"].Data, []byte(`"REST"`), []byte(`"REST", "Password": "`+secret+`"`), 1)
	spec.FS, spec.ConnectPrefix = files, "https://user:"+secret+"@connect:8001/?token="+secret
	spec.Env = map[string]string{"TOKEN": secret}
	spec.Labels = map[string]string{"label": secret, "org.opencontainers.image.title": "The scorer"}
	spec.Annotations = map[string]string{"note": secret}
	for _, format := range []bake.SBOMFormat{bake.SBOMCycloneDX, bake.SBOMSPDX} {
		opts := documented()
		opts.SBOM, opts.NoCheck = format, true
		report, err := bake.Bake(t.Context(), spec, nil, opts)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Referrers {
			raw := content(t, srv.Host+"/team/scorer", r.Digest)
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s tells a secret:\n%s", r.ArtifactType, raw)
			}
			// The names are there: what was looked for could have been.
			if want := map[string]string{cycloneDXType: `"The scorer"`, sbomType: `"The scorer"`, provenanceType: `"env":["TOKEN"]`}[r.ArtifactType]; !bytes.Contains(raw, []byte(want)) {
				t.Errorf("%s lacks %s:\n%s", r.ArtifactType, want, raw)
			}
		}
	}
}

// Tags come last: where documents cannot be attached, they stay.
func TestDocumentsFail(t *testing.T) {
	srv := registrytest.Start(t, registrytest.Options{Faults: func(_ int, r *http.Request) registrytest.Fault {
		if r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/team/scorer/manifests/sha256:") && r.ContentLength > 0 && r.ContentLength < 700 {
			return registrytest.Fault{Status: http.StatusForbidden}
		}
		return registrytest.Fault{}
	}})
	srv.Push(t, "team/base:1", registrytest.BaseImage(t, registrytest.ImageOptions{}))
	_, err := bake.Bake(t.Context(), scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"), bake.NewRemote(bake.RemoteOptions{Retries: -1}), documented())
	var partial *bake.PartialError
	if !errors.Is(err, bake.ErrDenied) || errors.As(err, &partial) || !strings.Contains(fmt.Sprint(err), "attaching to sha256:") {
		t.Errorf("got %v, want a refusal to attach", err)
	}
	if n := srv.Count(http.MethodPut, "/v2/team/scorer/manifests/1"); n != 0 {
		t.Errorf("the tag was written %d times", n)
	}
}

// Of files, provenance tells no directory of the machine that baked.
func TestProvenanceOfAbsoluteNames(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, registrytest.BaseImage(t, registrytest.ImageOptions{}))
	spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1")
	spec.FS = rooted{spec.FS}
	spec.Model, spec.Streams[1] = hidden+spec.Model, hidden+spec.Streams[1]
	spec.Schemas["input"] = hidden + spec.Schemas["input"]
	spec.Assets = []bake.Asset{{Path: hidden + "other.txt"}}
	spec.FS.(rooted).FS.(fstest.MapFS)["other.txt"] = &fstest.MapFile{Data: []byte("other")}
	opts := documented()
	opts.NoCheck, opts.Provenance.Source.Revision = true, strings.Repeat("AB", 20)
	report, err := bake.Bake(t.Context(), spec, nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range report.Referrers {
		raw := string(content(t, srv.Host+"/team/scorer", r.Digest))
		if strings.Contains(raw, hidden) {
			t.Errorf("%s tells a directory:\n%s", r.ArtifactType, raw)
		}
		if r.ArtifactType != provenanceType {
			continue
		}
		for _, want := range []string{
			`"model":"model.py3"`, `"schemas":{"input":"input.avsc","output":"output.avsc"}`, `"streams":{"0":"rest.json","1":"kafka.json"}`,
			`"path":"other.txt"`, `"gitCommit":"` + strings.Repeat("ab", 20) + `"`,
		} {
			if !strings.Contains(raw, want) {
				t.Errorf("provenance lacks %s:\n%s", want, raw)
			}
		}
	}
}

const hidden = "/home/alice/"

// rooted has its files also in a directory of the machine.
type rooted struct{ fs.FS }

func (r rooted) Open(name string) (fs.File, error) {
	return r.FS.Open(strings.TrimPrefix(name, hidden))
}
