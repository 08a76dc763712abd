// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// A fleet that finds its image attaches what the image lacks, and nothing else;
// the tag may be immutable.
func TestDocumentsOfStandingImages(t *testing.T) {
	srv := startWith(t, registrytest.Options{Immutable: http.StatusConflict}, multi(t))
	plan := newPlan(t, scorer(srv.Host+"/team/base:1", srv.Host+"/team/scorer:1"))
	run := func(opts bake.Options) *bake.Report {
		t.Helper()
		fleet := bake.NewFleet(nil, opts)
		defer fleet.Close()
		srv.Reset()
		report, err := fleet.Bake(t.Context(), plan, nil)
		if err != nil {
			t.Fatal(err)
		}
		// One survey of each subject is enough, and every request is counted.
		if n := srv.Count(http.MethodGet, "/v2/team/scorer/referrers/*"); n > 3 {
			t.Errorf("%d questions for referrers, want 3", n)
		}
		if n := srv.Count("", "*"); report.Transfer.Requests != int64(n) {
			t.Errorf("%d requests in the report, the registry has seen %d", report.Transfer.Requests, n)
		}
		return report
	}
	if r := run(bake.Options{}); r.AlreadyThere || len(r.Referrers) != 0 {
		t.Errorf("the first run found %+v", r)
	}
	r := run(documented())
	if !r.AlreadyThere || len(r.Referrers) != 6 || r.Transfer.UploadedBytes == 0 {
		t.Errorf("the second run: there %t, %d documents, %d bytes", r.AlreadyThere, len(r.Referrers), r.Transfer.UploadedBytes)
	}
	for _, s := range subjectsOf(r) {
		if diff := cmp.Diff(attached(r, s), referrersIn(t, srv.Host+"/team/scorer@"+s.String(), s)); diff != "" {
			t.Errorf("attached to %s (-want +got):\n%s", s, diff)
		}
	}
	r = run(documented())
	if n := srv.Count(http.MethodPut, "*") + srv.Count(http.MethodPost, "*"); !r.AlreadyThere || n != 0 {
		t.Errorf("the third run: there %t, %d requests that write", r.AlreadyThere, n)
	}
}

// A run that finds its image has built nothing: it adds provenance only where
// its builder has said nothing yet of a bake from these sources.
func TestProvenanceOfStandingImages(t *testing.T) {
	for _, tc := range []struct {
		name  string
		noAPI bool
		also  string // a further destination
	}{
		{"with the API", false, ""},
		{"without the API", true, ""},
		{"with an image layout", false, "oci:" + filepath.Join(t.TempDir(), "out") + ":v1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := startWith(t, registrytest.Options{Options: regserver.Options{NoReferrers: tc.noAPI}}, multi(t))
			tags := []string{srv.Host + "/team/scorer:1"}
			if tc.also != "" {
				tags = append(tags, tc.also)
			}
			plan := newPlan(t, scorer(srv.Host+"/team/base:1", tags...))
			run := func(change func(p *bake.Provenance)) (*bake.Report, int) {
				t.Helper()
				opts := documented()
				change(opts.Provenance)
				fleet := bake.NewFleet(nil, opts)
				defer fleet.Close()
				srv.Reset()
				report, err := fleet.Bake(t.Context(), plan, nil)
				if err != nil {
					t.Fatal(err)
				}
				return report, srv.Count(http.MethodPut, "*") + srv.Count(http.MethodPost, "*")
			}
			first, _ := run(func(*bake.Provenance) {})
			for name, change := range map[string]func(p *bake.Provenance){
				"invocation": func(p *bake.Provenance) { p.Invocation += "/2" },
				"revision":   func(p *bake.Provenance) { p.Source.Revision = strings.Repeat("6", 40) },
			} {
				r, writes := run(change)
				if !r.AlreadyThere || writes != 0 {
					t.Errorf("another %s: there %t, %d requests that write", name, r.AlreadyThere, writes)
				}
				if diff := cmp.Diff(first.Referrers, r.Referrers); diff != "" {
					t.Errorf("another %s: referrers (-first +now):\n%s", name, diff)
				}
			}
			for name, change := range map[string]func(p *bake.Provenance){
				"builder":    func(p *bake.Provenance) { p.Builder = "https://other.example.com" },
				"repository": func(p *bake.Provenance) { p.Source.URI += "-2" },
				"no source":  func(p *bake.Provenance) { p.Source = bake.Source{} },
			} {
				r, writes := run(change)
				for _, s := range subjectsOf(r) {
					was, now := attached(first, s), attached(r, s)
					if writes == 0 || now[cycloneDXType] != was[cycloneDXType] || now[provenanceType] == was[provenanceType] {
						t.Errorf("%s: %d requests that write; %s has %v, at first %v", name, writes, s, now, was)
					}
				}
				if again, writes := run(change); writes != 0 || !cmp.Equal(r.Referrers, again.Referrers) {
					t.Errorf("%s again: %d requests that write, and other referrers", name, writes)
				}
			}
			for _, tag := range tags {
				verified(t, tag)
			}
		})
	}
}
