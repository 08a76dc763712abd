// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package regserver

import (
	"encoding/json"
	"mime"
	"net/http"

	"github.com/google/go-containerregistry/pkg/v1/types"
)

// A manifestBody is what a registry needs of a manifest or an index.
type manifestBody struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType"`
	Config        *descriptor       `json:"config"`
	Layers        []descriptor      `json:"layers"`
	Manifests     []descriptor      `json:"manifests"`
	Subject       *descriptor       `json:"subject"`
	Annotations   map[string]string `json:"annotations"`
}

type descriptor struct {
	MediaType    string            `json:"mediaType"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	URLs         []string          `json:"urls,omitempty"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
}

// A manifest is one that may be stored once its references are checked.
type manifest struct {
	manifestBody
	mediaType string
	digest    digest
	raw       []byte
}

func invalid(message string) *refused {
	return refusal(http.StatusBadRequest, codeManifestInvalid, message)
}

// parseManifest checks all of a manifest that needs no look at its repository.
func parseManifest(contentType string, raw []byte) (*manifest, error) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, invalid("Content-Type is missing or malformed")
	}
	m := &manifest{mediaType: mediaType, raw: raw}
	if err := json.Unmarshal(raw, &m.manifestBody); err != nil {
		return nil, invalid("the manifest is not the JSON of one: " + err.Error())
	}
	isImage, isIndex := types.MediaType(mediaType).IsImage(), types.MediaType(mediaType).IsIndex()
	docker := mediaType == string(types.DockerManifestSchema2) || mediaType == string(types.DockerManifestList)
	switch {
	case !isImage && !isIndex:
		return nil, invalid("unsupported manifest type " + mediaType)
	case m.SchemaVersion != 2:
		return nil, invalid("schemaVersion is not 2")
	case m.MediaType != mediaType && (m.MediaType != "" || docker):
		return nil, invalid("mediaType is not the Content-Type " + mediaType)
	case isImage && m.Config == nil:
		return nil, invalid("an image manifest has a config")
	// A body that reads as both kinds is CVE-2021-41190.
	case isImage && m.Manifests != nil, isIndex && (m.Config != nil || m.Layers != nil):
		return nil, invalid("the manifest is of two types")
	}
	for _, desc := range m.all() {
		if err := desc.check(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *manifest) all() []descriptor {
	all := append(m.Layers[:len(m.Layers):len(m.Layers)], m.Manifests...)
	if m.Config != nil {
		all = append(all, *m.Config)
	}
	if m.Subject != nil {
		all = append(all, *m.Subject)
	}
	return all
}

func (d descriptor) check() error {
	if _, err := parseDigest(d.Digest); err != nil {
		return invalid("a descriptor has an invalid digest").about(d.Digest)
	}
	if d.MediaType == "" || d.Size < 0 {
		return invalid("a descriptor has no mediaType or a negative size").about(d.Digest)
	}
	return nil
}

// elsewhere is true for content that its descriptor does not promise to be in
// this registry.
func (d descriptor) elsewhere() bool {
	return len(d.URLs) > 0 || !types.MediaType(d.MediaType).IsDistributable()
}

// checkReferences refuses m with one cause for each reference that name lacks
// or has in another size. A subject may be missing: the spec lets a referrer
// come first.
func (m *manifest) checkReferences(s *store, name string) error {
	var missing []cause
	check := func(d descriptor, has func(string, digest) (bool, error)) error {
		if d.elsewhere() {
			return nil
		}
		ok, err := has(name, digest(d.Digest))
		if err != nil {
			return err
		}
		if !ok {
			c := refusal(0, codeManifestBlobUnknown, "the repository has no such content").about(d.Digest)
			missing = append(missing, c.causes...)
			return nil
		}
		switch size, err := s.contentSize(digest(d.Digest)); {
		case err != nil:
			return err
		case size != d.Size:
			return invalid("a descriptor's size is not that of the content").about(d.Digest)
		}
		return nil
	}
	blobs := m.Layers
	if m.Config != nil {
		blobs = append([]descriptor{*m.Config}, blobs...)
	}
	for _, d := range blobs {
		if err := check(d, s.hasBlob); err != nil {
			return err
		}
	}
	for _, d := range m.Manifests {
		if err := check(d, s.hasManifest); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return &refused{status: http.StatusNotFound, causes: missing}
	}
	return nil
}

// descriptor is how the referrers API describes m.
func (m *manifest) descriptor() descriptor {
	d := descriptor{
		MediaType:    m.mediaType,
		Digest:       string(m.digest),
		Size:         int64(len(m.raw)),
		ArtifactType: m.ArtifactType,
		Annotations:  m.Annotations,
	}
	if d.ArtifactType == "" && m.Config != nil {
		d.ArtifactType = m.Config.MediaType
	}
	return d
}
