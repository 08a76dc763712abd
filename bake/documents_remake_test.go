// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"context"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

// An image that is made anew gets documents of its own, which verify: those of
// the image before do not fit it. Its SBOM is that of a bake.
func TestDocumentsOfRemakes(t *testing.T) {
	srv := startWith(t, registrytest.Options{}, multi(t))
	srv.Push(t, "team/engine:2", registrytest.BaseIndexOf(t, registrytest.ImageOptions{Seed: 2}, "linux/amd64", "linux/arm64"))
	opts := documented()
	opts.NoCheck = true
	before, err := bake.Bake(t.Context(), scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"), nil, opts)
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		remake func(ctx context.Context, ref, tag string) (*bake.Report, error)
		same   func(spec *bake.Spec)
	}{
		"rebase": {
			func(ctx context.Context, ref, tag string) (*bake.Report, error) {
				return bake.Rebase(ctx, ref, nil, bake.RebaseOptions{Base: srv.Host + "/team/engine:2", SBOM: opts.SBOM, Provenance: opts.Provenance}, tag)
			},
			func(spec *bake.Spec) { spec.Base = srv.Host + "/team/engine:2" },
		},
		"rebind": {
			func(ctx context.Context, ref, tag string) (*bake.Report, error) {
				return bake.Rebind(ctx, ref, nil, bake.RebindOptions{FS: scorerFiles(), ConnectPrefix: "https://c:1", NoCheck: true, SBOM: opts.SBOM, Provenance: opts.Provenance}, tag)
			},
			func(spec *bake.Spec) { spec.ConnectPrefix = "https://c:1" },
		},
	} {
		t.Run(name, func(t *testing.T) {
			tag := srv.Host + "/team/" + name + ":1"
			report, err := tc.remake(t.Context(), srv.Host+"/team/scorer:1", tag)
			if err != nil {
				t.Fatal(err)
			}
			spec := scorer(srv.Host+"/team/base:1", srv.Host+"/team/same-"+name+":1")
			tc.same(&spec)
			baked, err := bake.Bake(t.Context(), spec, nil, opts)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range subjectsOf(report) {
				got, want := attached(report, s), attached(baked, s)
				if len(got) != 2 || got[cycloneDXType] != want[cycloneDXType] {
					t.Errorf("%s has %v, as baked %v", s, got, want)
				}
			}
			if diff := cmp.Diff(attached(report, report.Digest), referrersIn(t, tag, report.Digest)); diff != "" {
				t.Errorf("attached to the index (-want +got):\n%s", diff)
			}
			verified(t, tag)
			raw := string(content(t, srv.Host+"/team/"+name, attached(report, report.Digest)[provenanceType]))
			for _, want := range []string{
				`"externalParameters":{"image":"` + srv.Host + `/team/scorer:1"}`,
				`{"digest":{"sha256":"` + before.Digest.Hex + `"},"name":"image","uri":"pkg:oci/scorer@`,
			} {
				if !strings.Contains(raw, want) {
					t.Errorf("provenance lacks %s:\n%s", want, raw)
				}
			}
		})
	}
}
