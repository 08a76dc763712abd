// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake_test

import (
	"errors"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/crane-bake/crane-bake/bake"
	"github.com/crane-bake/crane-bake/internal/registrytest"
)

func TestPromoteGates(t *testing.T) {
	t.Parallel()
	from, to := registrytest.Start(t, registrytest.Options{}), registrytest.Start(t, registrytest.Options{})
	pushSigned(t, from, "team/scorer", "v1")
	const cosign = "application/vnd.dev.cosign.simplesigning.v1+json"
	for _, tc := range []struct {
		name     string
		require  []string
		platform string
		missing  string
	}{
		{"there", []string{sbomType, signatureType}, "", ""},
		{"cosign's", []string{cosign}, "", ""},
		{"one is missing", []string{sbomType, "application/vnd.cyclonedx+json"}, "", "application/vnd.cyclonedx+json"},
		{"of a child only", []string{"application/vnd.in-toto+json"}, "", "application/vnd.in-toto+json"},
		{"of the chosen child", []string{"application/vnd.in-toto+json"}, "linux/amd64", ""},
		{"cosign's of another", []string{cosign}, "linux/amd64", cosign},
	} {
		t.Run(tc.name, func(t *testing.T) {
			to.Reset()
			opts := bake.PromoteOptions{RequireReferrers: tc.require, Platform: tc.platform}
			_, err := bake.Promote(t.Context(), from.Host+"/team/scorer:v1", nil, opts, to.Host+"/prod/scorer:v1")
			if tc.missing == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, bake.ErrRefused) || !strings.Contains(err.Error(), "no referrer of type "+tc.missing) || !strings.Contains(err.Error(), "it has application/") {
				t.Errorf("got %v, want a refusal that names %s and what there is", err, tc.missing)
			}
			if n := len(to.Requests()); n != 0 {
				t.Errorf("%d requests to the destination", n)
			}
		})
	}
}

// The gate for cosign's signatures takes those that it makes since version 3,
// and not what it attests besides.
func TestPromoteGateSignatureBundles(t *testing.T) {
	t.Parallel()
	const (
		cosign    = "application/vnd.dev.cosign.simplesigning.v1+json"
		bundle    = "application/vnd.dev.sigstore.bundle.v0.3+json"
		predicate = "dev.sigstore.bundle.predicateType"
	)
	for name, tc := range map[string]struct {
		artifactType string
		annotations  map[string]string
		ok           bool
	}{
		"signature":          {bundle, map[string]string{predicate: "https://sigstore.dev/cosign/sign/v1"}, true},
		"an earlier version": {"application/vnd.dev.sigstore.bundle+json;version=0.2", nil, true},
		"attestation":        {bundle, map[string]string{predicate: "https://slsa.dev/provenance/v1"}, false},
		"something else":     {sbomType, map[string]string{predicate: "https://sigstore.dev/cosign/sign/v1"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := registrytest.Start(t, registrytest.Options{})
			index := registrytest.BaseIndex(t, "linux/amd64")
			srv.Push(t, "team/scorer:v1", index)
			made := mutate.Annotations(artifact(t, nil, tc.artifactType, "{}"), tc.annotations).(v1.Image)
			made = mutate.Subject(made, *descriptorOf(t, index)).(v1.Image)
			srv.Push(t, "team/scorer@"+digestOf(t, made).String(), made)
			opts := bake.PromoteOptions{RequireReferrers: []string{cosign}}
			_, err := bake.Promote(t.Context(), srv.Host+"/team/scorer:v1", nil, opts, srv.Host+"/prod/scorer:v1")
			if tc.ok && err != nil || !tc.ok && !errors.Is(err, bake.ErrRefused) {
				t.Errorf("got %v, want passed %v", err, tc.ok)
			}
		})
	}
}
