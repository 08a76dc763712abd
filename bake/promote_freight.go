// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/registry"
)

// freight is everything that a promotion copies.
type freight struct {
	source imageSource
	side   string // for errors of reading
	top    *manifest
	all    []*manifest // each once; what refers to one comes after it
	lists  []referrerList
	tags   []attachedTag
	notes  []string // of what stays behind
}

// manifest is a manifest of any kind, in its own bytes.
type manifest struct {
	desc     v1.Descriptor
	raw      []byte
	body     manifestBody
	children []*manifest
	attached bool      // it is there for one that refers to another, or is one
	of       *manifest // that it refers to, or nil
}

// manifestBody is what the kinds of manifests have in common or not.
type manifestBody struct {
	MediaType    types.MediaType   `json:"mediaType"`
	ArtifactType string            `json:"artifactType"`
	Config       *v1.Descriptor    `json:"config"`
	Layers       []v1.Descriptor   `json:"layers"`
	Manifests    []v1.Descriptor   `json:"manifests"`
	Subject      *v1.Descriptor    `json:"subject"`
	Annotations  map[string]string `json:"annotations"`
}

// referrerList is the manifests whose subject is one.
type referrerList struct {
	subject   *manifest
	referrers []*manifest
}

// attachedTag is a manifest that is found by a tag made from another's digest.
type attachedTag struct {
	tag string
	*manifest
}

// parseManifest reads what a promotion needs of a manifest.
func parseManifest(desc v1.Descriptor, raw []byte) (*manifest, error) {
	m := &manifest{desc: desc, raw: raw}
	if err := json.Unmarshal(raw, &m.body); err != nil {
		return nil, fmt.Errorf("reading manifest %s: %w", desc.Digest, err)
	}
	if m.desc.MediaType == "" { // in a layout, nothing else says it
		m.desc.MediaType = m.body.kind()
	}
	if m.desc.MediaType == "" {
		return nil, fmt.Errorf("%s is no image: it does not say its media type, and reads as no kind of manifest", desc.Digest)
	}
	if m.desc.MediaType.IsSchema1() {
		return nil, fmt.Errorf("%s is a Docker schema 1 image, a format without digests of its layers' content: pull it and push it again with a current tool", desc.Digest)
	}
	// What reads as both kinds is CVE-2021-41190.
	if m.body.Manifests != nil && (m.body.Config != nil || m.body.Layers != nil) {
		return nil, integrityf("manifest %s is an image and an index at once", desc.Digest)
	}
	for _, d := range slices.Concat(m.body.Manifests, m.contents()) {
		if d.Digest.Hex == "" || d.Size < 0 {
			return nil, integrityf("manifest %s has an entry without a digest or a size", desc.Digest)
		}
	}
	return m, nil
}

// kind is the media type of a manifest that may leave it out, or "".
func (b manifestBody) kind() types.MediaType {
	switch {
	case b.MediaType != "":
		return b.MediaType
	case b.Manifests != nil:
		return types.OCIImageIndex
	case b.Config != nil:
		return types.OCIManifestSchema1
	}
	return ""
}

// contents is the blobs of an image or an artifact.
func (m *manifest) contents() []v1.Descriptor {
	var blobs []v1.Descriptor
	if m.body.Config != nil {
		blobs = append(blobs, *m.body.Config)
	}
	return append(blobs, m.body.Layers...)
}

// artifactType is the type that lists of referrers give (distribution spec,
// "Listing Referrers").
func (m *manifest) artifactType() string {
	if m.body.ArtifactType == "" && m.body.Config != nil {
		return string(m.body.Config.MediaType)
	}
	return m.body.ArtifactType
}

// listed describes the manifest as a list of referrers does.
func (m *manifest) listed() v1.Descriptor {
	return v1.Descriptor{
		MediaType: m.desc.MediaType, Size: m.desc.Size, Digest: m.desc.Digest,
		ArtifactType: m.artifactType(), Annotations: m.body.Annotations,
	}
}

// freightBlob is a blob, and the manifests that have it.
type freightBlob struct {
	blob
	of []*manifest
}

// blobs is every blob of the freight. Layers that may not be distributed stay
// where their URLs point.
func (f *freight) blobs() []*freightBlob {
	byDigest := map[v1.Hash]*freightBlob{}
	var all []*freightBlob
	for _, m := range f.all {
		for _, desc := range m.contents() {
			if !desc.MediaType.IsDistributable() {
				continue
			}
			b, ok := byDigest[desc.Digest]
			if !ok {
				b = &freightBlob{blob: f.blob(m, desc)}
				byDigest[desc.Digest] = b
				all = append(all, b)
			}
			b.of = append(b.of, m)
		}
	}
	return all
}

func (f *freight) blob(m *manifest, desc v1.Descriptor) blob {
	kind := "layer"
	if m.body.Config != nil && desc.Digest == m.body.Config.Digest {
		kind = "config"
	}
	return blob{
		name: kind + " " + desc.Digest.Hex[:12],
		desc: desc, known: true, base: true,
		from: f.source.repository(),
		content: registry.Content{
			Open: func(ctx context.Context) (io.ReadCloser, error) {
				rc, err := f.source.blob(ctx, desc)
				if err != nil {
					return nil, &sideError{f.side, notThere(err, "%s %s of %s", kind, desc.Digest, m.desc.Digest)}
				}
				return &sidedReader{rc, f.side}, nil
			},
			Descriptor: func() (v1.Descriptor, bool) { return desc, true },
		},
	}
}

// notThere says what is missing where err is that it is.
func notThere(err error, format string, args ...any) error {
	if !isNotFound(err) {
		return err
	}
	return fmt.Errorf("%s is missing: %w", fmt.Sprintf(format, args...), err)
}

// isNotFound reports a missing thing, in a registry or in files.
func isNotFound(err error) bool {
	return errors.Is(&sideError{err: err}, ErrNotFound) || errors.Is(err, ErrNotFound)
}
