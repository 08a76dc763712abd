// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A Referrer is a manifest that says of another one that it is its subject: a
// bill of materials, provenance, a signature.
type Referrer struct {
	ArtifactType string            `json:"artifactType"`
	Digest       v1.Hash           `json:"digest"`
	MediaType    types.MediaType   `json:"mediaType"`
	Size         int64             `json:"size"` // of the manifest, in bytes
	Subject      v1.Hash           `json:"subject"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

func referrerOf(d v1.Descriptor, subject v1.Hash) Referrer {
	return Referrer{
		ArtifactType: d.ArtifactType, Digest: d.Digest, MediaType: d.MediaType, Size: d.Size,
		Subject: subject, Annotations: d.Annotations,
	}
}

// asAttachmentSource is the image's source, if it can be asked for referrers.
func (b *Base) asAttachmentSource() (attachmentSource, bool) {
	switch s := b.source.(type) {
	case registrySource:
		return s, true
	case layoutSource:
		return &layoutAttachments{layoutSource: s}, true
	}
	return nil, false
}

// referrers lists what refers to what the image's location names, or a note of
// why that cannot be told: it is no part of the image.
func (b *Base) referrers(ctx context.Context) ([]Referrer, string) {
	all := []Referrer{}
	source, ok := b.asAttachmentSource()
	if !ok {
		return all, ""
	}
	listed, err := source.referrers(ctx, b.desc.Digest)
	if err != nil {
		return all, fmt.Sprintf("what refers to it cannot be listed: %v", err)
	}
	for _, d := range listed {
		all = append(all, referrerOf(d, b.desc.Digest))
	}
	return all, ""
}
