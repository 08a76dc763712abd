// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/registry"
)

// VerifyOptions say how strictly Verify judges; the zero value works.
type VerifyOptions struct {
	// Platforms chooses platforms, each OS/ARCH[/VARIANT]; none chooses those
	// of the image.
	Platforms []string
	// Allow and Strict are those of Spec and Options.
	Allow  []string
	Strict bool
}

// A Verification says what was verified in an image, and what is wrong with it.
// Its lists are empty rather than nil.
type Verification struct {
	Image     string             `json:"image"` // by digest
	Digest    v1.Hash            `json:"digest"`
	MediaType types.MediaType    `json:"mediaType"`
	Recorded  bool               `json:"recorded"` // whether every platform has a record of its bake
	Platforms []VerifiedPlatform `json:"platforms"`
	Layers    int                `json:"layers"`    // that were read
	Assets    int                `json:"assets"`    // that were compared; those that platforms share count once
	ReadBytes int64              `json:"readBytes"` // of layers, compressed
	// Mismatches is what the image or its record says and is not so.
	Mismatches []Mismatch `json:"mismatches"`
	// Findings is what the engine contract says of the content, in the order of
	// the check; those of allowed rules are notes.
	Findings []engine.Finding `json:"findings"`
	// Notes says what could not be verified, and why.
	Notes []string `json:"notes"`
}

// VerifiedPlatform is the image of one platform.
type VerifiedPlatform struct {
	Platform string          `json:"platform"`
	Digest   v1.Hash         `json:"digest"`
	Recorded bool            `json:"recorded"` // whether it has a record of its bake
	Checks   []VerifiedCheck `json:"checks"`
}

// A VerifiedCheck is one thing that was looked at, or not.
type VerifiedCheck struct {
	Check  string      `json:"check"` // manifest, record, config, annotations, layers, base layers, base, assets, contract, documents
	Result CheckResult `json:"result"`
	Reason string      `json:"reason,omitempty"` // why it was skipped
}

// CheckResult is how a check went.
type CheckResult string

// The results.
const (
	CheckPassed  CheckResult = "passed"
	CheckFailed  CheckResult = "failed"
	CheckSkipped CheckResult = "skipped"
)

// A Mismatch is one thing in an image that is not what the image, or its
// record, says.
type Mismatch struct {
	Platforms []string `json:"platforms"`      // empty for what is the index's own
	Part      string   `json:"part"`           // asset, file, layer, base layer, record, variable, …
	Name      string   `json:"name,omitempty"` // path, digest or key
	Problem   string   `json:"problem"`
}

// String is "PART NAME: PROBLEM".
func (m Mismatch) String() string {
	if m.Name == "" {
		return m.Part + ": " + m.Problem
	}
	return m.Part + " " + m.Name + ": " + m.Problem
}

// A MismatchError says that an image is not what it says. It is ErrIntegrity.
type MismatchError struct {
	Mismatches []Mismatch // every one
}

func (e *MismatchError) Error() string {
	n := len(e.Mismatches)
	text := fmt.Sprintf("%d mismatches: ", n)
	if n == 1 {
		text = "1 mismatch: "
	}
	for i, m := range e.Mismatches {
		if i > 0 {
			text += "; "
		}
		text += m.String()
	}
	return text
}

// Is makes it ErrIntegrity.
func (e *MismatchError) Is(target error) bool { return target == ErrIntegrity }

// Verify proves that the image at ref is what it and its record say: every
// digest and size of manifests, configs and the bake's layers, each of which is
// read once however many platforms share it; the seam between base and bake,
// against the manifest and config of the base that the record names, where that
// can be read; the record against the config, the annotations and, asset by asset, the files
// of the bake's layers. It applies the engine contract to these files. Layers of
// the base are looked for, not read. Of an image without a record it reads
// layers from the top down until every bound file is found; Notes says that its
// assets cannot be compared.
//
// The error is a MismatchError, which is ErrIntegrity, for whatever is not as it
// is said to be, a missing part included; then a CheckError for what breaks the
// contract. With either the Verification is there too. ErrNotFound is for an
// image that is not there and for one that nothing is baked into. A nil remote
// is anonymous.
func Verify(ctx context.Context, ref string, remote *Remote, opts VerifyOptions) (*Verification, error) {
	remote = remote.orDefault()
	chosen, err := parsePlatforms(opts.Platforms)
	if err != nil {
		return nil, err
	}
	if err := knownRules(opts.Allow); err != nil {
		return nil, err
	}
	img, err := openUnread(ctx, "image", ref, remote)
	if err != nil {
		return nil, err
	}
	defer img.Close() // was opened for reading only
	v := &verifier{img: img, remote: remote, layers: map[v1.Hash]*readLayer{}, sizes: map[v1.Hash]blobSize{}, found: map[engine.Finding]bool{}}
	out, err := v.verify(ctx, chosen, opts)
	if err != nil {
		return out, &sideError{img.side, err}
	}
	return out, nil
}

// verify is Verify of an image whose manifest was not read yet.
func (v *verifier) verify(ctx context.Context, chosen []v1.Platform, opts VerifyOptions) (*Verification, error) {
	if err := v.read(ctx, chosen); err != nil {
		return nil, err
	}
	if err := v.images(ctx); err != nil {
		return nil, err
	}
	if err := v.documents(ctx, len(chosen) == 0); err != nil {
		return nil, err
	}
	out := &Verification{
		Image:      v.img.location.withDigest(v.img.desc.Digest.String()),
		Digest:     v.img.desc.Digest,
		MediaType:  v.img.desc.MediaType,
		Recorded:   !slices.ContainsFunc(v.platforms, func(p *verifiedImage) bool { return !p.out.Recorded }),
		Platforms:  []VerifiedPlatform{},
		Mismatches: v.merged(),
		Findings:   allowed(v.findings, opts.Allow),
		Notes:      append([]string{}, v.notes...),
	}
	if out.Findings == nil {
		out.Findings = []engine.Finding{}
	}
	for _, p := range v.platforms {
		out.Platforms = append(out.Platforms, p.out)
	}
	out.Assets = v.assetCount()
	for _, l := range v.layers {
		if l.err == nil {
			out.Layers++
			out.ReadBytes += l.size
		}
	}
	if len(out.Mismatches) > 0 {
		return out, &MismatchError{out.Mismatches}
	}
	err := verdict(out.Findings, opts.Strict)
	var check *CheckError
	if errors.As(err, &check) {
		out.Findings = check.Findings // graded as strictness asks
	}
	return out, err
}

// isMismatch reports whether err says something of the image, rather than of
// the way to it.
func isMismatch(err error) bool {
	var answer *registry.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return false
	case errors.Is(err, ErrIntegrity), isMissing(err):
		return true
	case errors.Is(err, ErrDenied), errors.Is(err, ErrUnavailable), errors.As(err, &answer):
		return false
	}
	return true
}

// problem is err in the words of a Mismatch, whose part and name say what it is
// about.
func problem(err error) string {
	var broken *integrityError
	switch {
	case isMissing(err):
		return "is missing"
	case errors.As(err, &broken):
		return broken.Error()
	}
	// Those who pass on that a digest is another say whose.
	text := err.Error()
	if at := strings.Index(text, ErrIntegrity.Error()+": "); at >= 0 {
		text = text[at:]
	}
	if why, ok := strings.CutPrefix(text, ErrIntegrity.Error()+": "); ok && !strings.HasPrefix(why, "got ") {
		return why
	}
	return text
}
