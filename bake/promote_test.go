// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
	"github.com/crane-bake/crane-bake/internal/regserver"
)

// promote promotes, which must succeed, over a remote of its own.
func promote(t testing.TB, opts bake.PromoteOptions, src string, dst ...string) *bake.PromoteReport {
	t.Helper()
	report, err := bake.Promote(t.Context(), src, nil, opts, dst...)
	if err != nil {
		t.Fatalf("promoting %s: %v", src, err)
	}
	return report
}

// writes is the requests that may have changed something.
func writes(srv *registrytest.Server) []string {
	var all []string
	for _, r := range srv.Requests() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			all = append(all, r.Method+" "+r.Path)
		}
	}
	return all
}

// Everything arrives, byte for byte, whatever either registry knows of
// referrers, directly and through files.
func TestPromote(t *testing.T) {
	t.Parallel()
	for _, fromAPI := range []bool{true, false} {
		for _, toAPI := range []bool{true, false} {
			for _, via := range []string{"", "oci:", "oci-archive:"} {
				t.Run(fmt.Sprintf("API %t to API %t via %q", fromAPI, toAPI, via), func(t *testing.T) {
					from := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: !fromAPI}})
					to := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: !toAPI}})
					s := pushSigned(t, from, "team/scorer", "v1")
					src, dst := from.Host+"/team/scorer:v1", to.Host+"/prod/scorer:v1"
					if via != "" {
						file := via + t.TempDir() + "/image"
						promote(t, bake.PromoteOptions{}, src, file+":v1")
						src = file
					}
					report := promote(t, bake.PromoteOptions{}, src, dst)
					checkSigned(t, to.Host, "prod/scorer", "v1", s)
					if report.Digest != s.top || report.Manifests != 3 || report.Referrers != 6 {
						t.Errorf("%s with %d manifests and %d referrers, want %s with 3 and 6", report.Digest, report.Manifests, report.Referrers, s.top)
					}
					if diff := cmp.Diff([]string{to.Host + "/prod/scorer@" + s.top.String()}, report.Published); diff != "" {
						t.Errorf("published (-want +got):\n%s", diff)
					}
					if got := to.UploadedBlobBytes(); got != report.Transfer.CopiedBytes || got == 0 {
						t.Errorf("%d bytes of blobs arrived, the report says %d", got, report.Transfer.CopiedBytes)
					}
					from.Reset()
					to.Reset()
					again := promote(t, bake.PromoteOptions{NoClobber: true}, src, dst)
					if got := writes(to); len(got) > 0 {
						t.Errorf("the second time wrote %q", got)
					}
					if n := to.Count(http.MethodHead, "*/blobs/*"); n == 0 {
						t.Error("the second time did not ask for the blobs of manifests that are there")
					}
					if n := from.DownloadedBlobBytes() + to.DownloadedBlobBytes(); n != 0 || again.Transfer.CopiedBytes != 0 {
						t.Errorf("the second time moved %d bytes of blobs", n)
					}
				})
			}
		}
	}
}

// Within a registry blobs are mounted, and within a repository there is only a
// tag to write.
func TestPromoteWithin(t *testing.T) {
	t.Parallel()
	srv := registrytest.Start(t, registrytest.Options{})
	s := pushSigned(t, srv, "team/scorer", "v1")
	promote(t, bake.PromoteOptions{}, srv.Host+"/team/scorer:v1", srv.Host+"/prod/scorer:v1", srv.Host+"/prod/copy:v1")
	if n := srv.UploadedBytes() + srv.DownloadedBytes(); n > 64<<10 {
		t.Errorf("%d bytes were moved", n)
	}
	if n := srv.DownloadedBlobBytes() + srv.UploadedBlobBytes(); n != 0 {
		t.Errorf("%d bytes of blobs were moved", n)
	}
	checkSigned(t, srv.Host, "prod/scorer", "v1", s)
	checkSigned(t, srv.Host, "prod/copy", "v1", s)

	srv.Reset()
	promote(t, bake.PromoteOptions{}, srv.Host+"/team/scorer@"+s.top.String(), srv.Host+"/team/scorer:stable", srv.Host+"/team/scorer:v1")
	if diff := cmp.Diff([]string{"PUT /v2/team/scorer/manifests/stable"}, writes(srv)); diff != "" {
		t.Errorf("written (-want +got):\n%s", diff)
	}
}

// Each blob is read once, wherever it goes.
func TestPromoteToSeveral(t *testing.T) {
	t.Parallel()
	from, to := registrytest.Start(t, registrytest.Options{}), registrytest.Start(t, registrytest.Options{})
	other := registrytest.Start(t, registrytest.Options{Options: regserver.Options{NoReferrers: true}})
	s := pushSigned(t, from, "team/scorer", "v1")
	dir := t.TempDir()
	promote(t, bake.PromoteOptions{}, from.Host+"/team/scorer:v1", to.Host+"/a/scorer:v1", to.Host+"/b/scorer:v1", to.Host+"/b/scorer:v2",
		other.Host+"/c/scorer:v1", "oci:"+dir+"/layout:v1", "oci-archive:"+dir+"/archive:v1")
	read := map[string]int{}
	for _, r := range from.Requests() {
		if r.Method == http.MethodGet && strings.Contains(r.Path, "/blobs/") {
			read[r.Path]++
		}
	}
	for path, n := range read {
		if n != 1 {
			t.Errorf("%s was read %d times", path, n)
		}
	}
	if got := from.DownloadedBlobBytes(); got == 0 || got != to.UploadedBlobBytes() || got != other.UploadedBlobBytes() {
		t.Errorf("%d bytes of blobs were read, %d and %d arrived", got, to.UploadedBlobBytes(), other.UploadedBlobBytes())
	}
	checkSigned(t, to.Host, "a/scorer", "v1", s)
	checkSigned(t, to.Host, "b/scorer", "v1", s)
	checkSigned(t, to.Host, "b/scorer", "v2", s)
	checkSigned(t, other.Host, "c/scorer", "v1", s)
	for _, file := range []string{"oci:" + dir + "/layout:v1", "oci-archive:" + dir + "/archive:v1"} {
		repo := strings.ToLower(strings.ReplaceAll(file[:6], ":", "")) + "/back"
		promote(t, bake.PromoteOptions{}, file, to.Host+"/"+repo+":v1")
		checkSigned(t, to.Host, repo, "v1", s)
	}
}

// Blobs, children, the index, referrers, tags.
func TestPromoteOrder(t *testing.T) {
	t.Parallel()
	from, to := registrytest.Start(t, registrytest.Options{}), registrytest.Start(t, registrytest.Options{})
	s := pushSigned(t, from, "team/scorer", "v1")
	promote(t, bake.PromoteOptions{}, from.Host+"/team/scorer:v1", to.Host+"/prod/scorer:v1")
	rank := func(ref string) int {
		switch h, err := v1.NewHash(ref); {
		case err != nil && s.tags[ref] != (v1.Hash{}):
			return 3
		case err != nil:
			return 4
		case slices.Contains(s.images, h):
			return 0
		case h == s.top:
			return 1
		}
		return 2
	}
	last, seen := 0, map[int]bool{}
	for _, r := range to.Requests() {
		_, ref, manifest := strings.Cut(r.Path, "/manifests/")
		if r.Method == http.MethodPost && last+len(seen) > 0 {
			t.Errorf("%s %s after a manifest", r.Method, r.Path)
		}
		if r.Method != http.MethodPut || !manifest {
			continue
		}
		n := rank(ref)
		if n < last {
			t.Errorf("%s was written too late", ref)
		}
		last, seen[n] = n, true
	}
	if len(seen) != 5 || last != 4 {
		t.Errorf("kinds of manifests %v, the last is %d", seen, last)
	}
	// Without referrers the first tag brings the index.
	to.Reset()
	promote(t, bake.PromoteOptions{NoReferrers: true}, from.Host+"/team/scorer:v1", to.Host+"/prod/bare:v1")
	if n := to.Count(http.MethodPut, "/v2/prod/bare/manifests/*"); n != 3 {
		t.Errorf("%d manifests were written, want two images and a tag", n)
	}
	for subject := range s.referrers {
		if got := referrersAt(t, to.Host+"/prod/bare", subject); len(got) > 0 {
			t.Errorf("%s has the referrers %s", subject, got)
		}
	}
}

// One platform of an index goes under its own digest, with its own referrers.
func TestPromotePlatform(t *testing.T) {
	t.Parallel()
	from, to := registrytest.Start(t, registrytest.Options{}), registrytest.Start(t, registrytest.Options{})
	s := pushSigned(t, from, "team/scorer", "v1")
	report := promote(t, bake.PromoteOptions{Platform: "linux/amd64"}, from.Host+"/team/scorer:v1", to.Host+"/prod/scorer:v1")
	if report.Digest != s.images[0] || report.Manifests != 1 || report.Referrers != 1 {
		t.Errorf("%s with %d manifests and %d referrers, want %s with one and one", report.Digest, report.Manifests, report.Referrers, s.images[0])
	}
	pullImage(t, to.Host+"/prod/scorer:v1")
	if diff := cmp.Diff(s.referrers[s.images[0]], referrersAt(t, to.Host+"/prod/scorer", s.images[0])); diff != "" {
		t.Errorf("referrers (-want +got):\n%s", diff)
	}
	// A single image is for the platform that its config says.
	promote(t, bake.PromoteOptions{Platform: "linux/amd64"}, to.Host+"/prod/scorer:v1", to.Host+"/prod/one:v1")
	if got := digestAt(t, to.Host+"/prod/one:v1"); got != s.images[0] {
		t.Errorf("the tag is %s, want %s", got, s.images[0])
	}
}

// What BuildKit attested about an image goes with the index alone, and the
// report says so.
func TestPromotePlatformLeavesAttestations(t *testing.T) {
	t.Parallel()
	from, to := registrytest.Start(t, registrytest.Options{}), registrytest.Start(t, registrytest.Options{})
	index := registrytest.BaseIndex(t, "linux/amd64", registrytest.Attestation, "linux/arm64")
	from.Push(t, "team/scorer:v1", index)
	for platform, want := range map[string]string{"linux/amd64": "an attestation manifest of BuildKit about the image for linux/amd64", "linux/arm64": "", "": ""} {
		report := promote(t, bake.PromoteOptions{Platform: platform}, from.Host+"/team/scorer:v1", to.Host+"/prod/scorer:v1")
		if notes := strings.Join(report.Notes, "\n"); (notes == "") != (want == "") || !strings.Contains(notes, want) {
			t.Errorf("platform %q: notes %q, want %q", platform, notes, want)
		}
		if want != "" && !strings.Contains(report.Notes[0], digestOf(t, index).String()) {
			t.Errorf("notes %q without the index", report.Notes)
		}
	}
}
