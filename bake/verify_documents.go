// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"golang.org/x/sync/errgroup"

	"github.com/crane-bake/crane-bake/internal/provenance"
	"github.com/crane-bake/crane-bake/internal/sbom"
)

const (
	// maxDocument bounds a document: real ones have kilobytes, and one of a
	// hundred thousand files has a few megabytes.
	maxDocument = 64 << 20
	// maxDocuments bounds how many of one image are read: each run of a CI may
	// attach its own provenance.
	maxDocuments = 100
)

// verifiedSubject is a manifest that documents may be attached to.
type verifiedSubject struct {
	platform string // empty for an index
	digest   v1.Hash
	bill     sbom.Image // what documents should say
	image    *verifiedImage
}

// subjects is the platforms' images and, where all of it was read, the index.
func (v *verifier) subjects(whole bool) []verifiedSubject {
	var all []verifiedSubject
	var bills []sbom.Image
	var records []*Record
	for _, p := range v.platforms {
		if p.record == nil {
			whole = false
			continue
		}
		bill := billOf(p.desc.Digest, p.platform, p.config, p.record)
		bills, records = append(bills, bill), append(records, p.record)
		all = append(all, verifiedSubject{p.out.Platform, p.desc.Digest, bill, p})
	}
	if whole && v.img.index != nil && len(bills) > 0 && len(v.mismatches) == 0 {
		all = append(all, verifiedSubject{digest: v.img.desc.Digest, bill: indexBill(v.img.desc.Digest, bills, records)})
	}
	return all
}

// documents compares the SBOMs and the provenance of this package's making
// that are attached to the images with these; whole says that every platform
// of an index was read. What others attach is theirs.
func (v *verifier) documents(ctx context.Context, whole bool) error {
	source, ok := v.img.asAttachmentSource()
	if !ok {
		return nil
	}
	subjects := v.subjects(whole)
	results := make([]verifiedDocuments, len(subjects))
	g, gctx := errgroup.WithContext(ctx)
	for i, s := range subjects {
		g.Go(func() error { return results[i].read(gctx, v.remote, source, s) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, s := range subjects {
		r := results[i]
		for _, n := range r.notes {
			v.note("%s", n)
		}
		for _, m := range r.mismatches {
			v.mismatch(s.platform, m.Part, m.Name, "%s", m.Problem)
		}
		if s.image != nil && r.count > 0 {
			c := VerifiedCheck{Check: "documents", Result: CheckPassed}
			if len(r.mismatches) > 0 {
				c.Result = CheckFailed
			}
			s.image.out.Checks = append(s.image.out.Checks, c)
		}
	}
	return nil
}

// verifiedDocuments is what came of the documents of one manifest.
type verifiedDocuments struct {
	count      int // of those that were compared
	mismatches []Mismatch
	notes      []string
}

func (r *verifiedDocuments) differs(part, name, format string, args ...any) {
	r.mismatches = append(r.mismatches, Mismatch{Part: part, Name: name, Problem: fmt.Sprintf(format, args...)})
}

func (r *verifiedDocuments) read(ctx context.Context, remote *Remote, source attachmentSource, s verifiedSubject) error {
	if err := acquire(ctx, remote.asking); err != nil {
		return err
	}
	defer release(remote.asking)
	listed, err := source.referrers(ctx, s.digest)
	if err != nil && ctx.Err() == nil {
		r.notes = append(r.notes, fmt.Sprintf("what refers to %s cannot be listed: %v", s.digest, err))
		return nil
	}
	if err != nil {
		return err
	}
	listed = slices.DeleteFunc(listed, func(d v1.Descriptor) bool { return d.ArtifactType != "" && documentPart(d.ArtifactType) == "" })
	if len(listed) > maxDocuments {
		r.notes = append(r.notes, fmt.Sprintf("%d documents refer to %s: %d were compared with it", len(listed), s.digest, maxDocuments))
		listed = listed[:maxDocuments]
	}
	for _, d := range listed {
		if err := r.compare(ctx, source, d, s); err != nil {
			if ctx.Err() != nil || !isMismatch(err) {
				return err
			}
			r.count++
			r.differs("referrer", d.Digest.String(), "%s", problem(err))
		}
	}
	return nil
}

// documentPart is what mismatches call a document of an artifact type that this
// package makes; "" is another type.
func documentPart(artifactType string) string {
	switch {
	case artifactType == provenance.MediaType:
		return "provenance"
	case sbom.FormatOf(artifactType) != "":
		return "SBOM"
	}
	return ""
}

// compare reads one referrer and compares it with its subject.
func (r *verifiedDocuments) compare(ctx context.Context, source attachmentSource, d v1.Descriptor, s verifiedSubject) error {
	desc, raw, err := source.manifest(ctx, d.Digest.String())
	if err != nil {
		return err
	}
	m, err := parseManifest(desc, raw)
	if err != nil {
		return err
	}
	part := documentPart(m.artifactType())
	// This package puts one layer into it, of the same type.
	if part == "" || len(m.body.Layers) != 1 || string(m.body.Layers[0].MediaType) != m.artifactType() {
		return nil
	}
	layer := m.body.Layers[0]
	if layer.Size > maxDocument {
		r.notes = append(r.notes, fmt.Sprintf("%s %s has %d bytes, more than are compared", part, d.Digest, layer.Size))
		return nil
	}
	content, err := readAll(ctx, source, layer)
	if err != nil {
		return err
	}
	r.judge(part, m.artifactType(), d, content, m, s)
	return nil
}

func readAll(ctx context.Context, source imageSource, desc v1.Descriptor) ([]byte, error) {
	rc, err := source.blob(ctx, desc)
	if err != nil {
		return nil, err
	}
	defer rc.Close() // was opened for reading only
	return io.ReadAll(rc)
}

// judge compares a document of the artifact type.
func (r *verifiedDocuments) judge(part, artifactType string, d v1.Descriptor, content []byte, m *manifest, s verifiedSubject) {
	differs := func(name, format string, args ...any) { r.differs(part, name, format, args...) }
	var own bool
	var err error
	if part == "provenance" {
		own, err = provenance.Compare(content, provenance.Build{Digest: s.digest, Materials: materials(s.bill)}, differs)
	} else {
		own, err = sbom.Compare(content, sbom.FormatOf(artifactType), s.bill, differs)
	}
	if err != nil {
		r.notes = append(r.notes, fmt.Sprintf("%s %s is not understood: %v", part, d.Digest, err))
	}
	if !own {
		return
	}
	r.count++
	if m.body.Subject == nil || m.body.Subject.Digest != s.digest {
		differs(d.Digest.String(), "is listed for %s, but has another subject", s.digest)
	}
}
