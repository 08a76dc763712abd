// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrRefused is wrapped where a condition keeps an image from being promoted.
var ErrRefused = errors.New("refused")

// cosignSignature is the media type of the payload that cosign signs. Up to
// version 2 its signatures are found by a tag; since then they are referrers,
// bundles as below.
const cosignSignature = "application/vnd.dev.cosign.simplesigning.v1+json"

// A sigstore bundle holds a signature or a signed attestation (cosign,
// specs/BUNDLE_SPEC.md). Its media type goes on with a version.
const (
	sigstoreBundle    = "application/vnd.dev.sigstore.bundle"
	bundlePredicate   = "dev.sigstore.bundle.predicateType" // annotation of the manifest
	cosignedPredicate = "https://sigstore.dev/cosign/sign/v1"
)

// gate wants a referrer of the top manifest for each of the types.
func (f *freight) gate(required []string) error {
	has := f.attachedTypes()
	for _, want := range required {
		if slices.Contains(has, want) || want == cosignSignature && f.hasSignatureBundle() {
			continue
		}
		there := "it has none of any type"
		if len(has) > 0 {
			there = "it has " + strings.Join(has, ", ")
		}
		return fmt.Errorf("%w: %s has no referrer of type %s; %s", ErrRefused, f.top.desc.Digest, want, there)
	}
	return nil
}

// verify is Verify of the image that is to be promoted, whatever its tag names
// by now.
func (f *freight) verify(ctx context.Context, from Location, remote *Remote, opts PromoteOptions) error {
	choice := *opts.Verify
	choice.Platforms = nil
	if opts.Platform != "" {
		choice.Platforms = []string{opts.Platform}
	}
	ref := from.String()
	if from.registry() && opts.Platform == "" {
		ref = from.withDigest(f.top.desc.Digest.String())
	}
	found, err := Verify(ctx, ref, remote, choice)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(found.Platforms, func(p VerifiedPlatform) bool { return p.Digest == f.top.desc.Digest }) && found.Digest != f.top.desc.Digest {
		return fmt.Errorf("%w: %s has moved to %s meanwhile", ErrConflict, from, found.Digest)
	}
	return nil
}

// hasSignatureBundle reports whether a sigstore bundle that signs the top
// manifest refers to it. One that attests something else about it, say what a
// scanner found, is not meant to sign it, whatever it says.
func (f *freight) hasSignatureBundle() bool {
	for _, l := range f.lists {
		if l.subject == f.top && slices.ContainsFunc(l.referrers, isSignatureBundle) {
			return true
		}
	}
	return false
}

func isSignatureBundle(m *manifest) bool {
	about := m.body.Annotations[bundlePredicate]
	return strings.HasPrefix(m.artifactType(), sigstoreBundle) && (about == "" || about == cosignedPredicate)
}

// attachedTypes is the types of what refers to the top manifest, sorted.
func (f *freight) attachedTypes() []string {
	var types []string
	for _, l := range f.lists {
		if l.subject != f.top {
			continue
		}
		for _, r := range l.referrers {
			types = append(types, r.artifactType())
			for _, d := range r.contents() {
				types = append(types, string(d.MediaType))
			}
		}
	}
	if slices.ContainsFunc(f.tags, func(t attachedTag) bool { return t.tag == cosignTag(f.top.desc.Digest, "sig") }) {
		types = append(types, cosignSignature)
	}
	slices.Sort(types)
	types = slices.Compact(types)
	return slices.DeleteFunc(types, func(t string) bool { return t == "" })
}
