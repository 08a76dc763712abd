// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"fmt"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/provenance"
	"github.com/crane-bake/crane-bake/internal/registry"
	"github.com/crane-bake/crane-bake/internal/sbom"
)

// SBOMFormat is the format of a bill of materials; empty is none.
type SBOMFormat string

// The formats of bills of materials.
const (
	SBOMCycloneDX SBOMFormat = SBOMFormat(sbom.CycloneDX) // CycloneDX 1.6, as JSON
	SBOMSPDX      SBOMFormat = SBOMFormat(sbom.SPDX)      // SPDX 2.3, as JSON
)

// ParseSBOMFormat reads cyclonedx or spdx.
func ParseSBOMFormat(s string) (SBOMFormat, error) {
	f := SBOMFormat(s)
	if f != SBOMCycloneDX && f != SBOMSPDX {
		return "", usagef("SBOM format %q: want %s or %s", s, SBOMCycloneDX, SBOMSPDX)
	}
	return f, nil
}

// LocalBuilder is the builder of a bake that no CI runs.
const LocalBuilder = "https://github.com/crane-bake/crane-bake/blob/main/docs/provenance.md#local"

// Provenance is what only the caller knows of where an image comes from. All of
// it is published; it must hold no secrets.
type Provenance struct {
	Builder    string // URI of what runs the bake; empty is LocalBuilder
	Invocation string // URI of this run; empty for none
	Source     Source
}

// Source is the revision of the sources that a bake was made from.
type Source struct {
	URI      string // such as git+https://example.com/team/scorer; empty for none
	Revision string // such as a commit in hex
}

// documentOptions say what is attached to an image.
type documentOptions struct {
	sbom       SBOMFormat
	provenance *Provenance
}

func (d documentOptions) none() bool { return d.sbom == "" && d.provenance == nil }

// check refuses destinations that cannot hold what is attached to an image.
func (d documentOptions) check(remote *Remote, tags []string) error {
	if d.sbom != "" {
		if _, err := ParseSBOMFormat(string(d.sbom)); err != nil {
			return err
		}
	}
	for _, tag := range tags {
		// What is wrong with a location is said where its target is made.
		loc, err := ParseLocation(tag, remote.insecure)
		if err == nil && loc.transport == transportDockerArchive && !d.none() {
			return usagef("destination %s: a docker-archive holds no SBOM or provenance; use oci-archive", loc)
		}
	}
	return nil
}

// A document is attached to an image: an artifact whose subject is the image.
type document struct {
	name    string // for people
	subject v1.Descriptor
	content []byte
	*manifest
}

// emptyConfig is the config of an artifact that needs none (OCI image-spec,
// manifest.md, "Guidance for an Empty Descriptor").
var emptyConfig = []byte("{}")

const emptyConfigType types.MediaType = "application/vnd.oci.empty.v1+json"

// titleAnnotation is the file name of a layer for those who download it.
const titleAnnotation = "org.opencontainers.image.title"

// The annotations of provenance: lists of referrers have them, so that it takes
// no request more to find out who vouches for an image already.
const (
	builderAnnotation = "io.github.crane-bake.builder"
	sourceAnnotation  = "io.github.crane-bake.source" // without the revision
)

// newDocument is a document of the given type about subject.
func newDocument(name, mediaType, title string, annotations map[string]string, content []byte, subject v1.Descriptor) (*document, error) {
	about := v1.Descriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size}
	config := described(emptyConfig, emptyConfigType)
	layer := described(content, types.MediaType(mediaType))
	layer.Annotations = map[string]string{titleAnnotation: title}
	raw, err := marshal(struct {
		SchemaVersion int               `json:"schemaVersion"`
		MediaType     types.MediaType   `json:"mediaType"`
		ArtifactType  string            `json:"artifactType"`
		Config        v1.Descriptor     `json:"config"`
		Layers        []v1.Descriptor   `json:"layers"`
		Subject       v1.Descriptor     `json:"subject"`
		Annotations   map[string]string `json:"annotations,omitempty"`
	}{2, types.OCIManifestSchema1, mediaType, config, []v1.Descriptor{layer}, about, annotations})
	if err != nil {
		return nil, err
	}
	m, err := parseManifest(described(raw, types.OCIManifestSchema1), raw)
	return &document{name: name, subject: about, content: content, manifest: m}, err
}

func described(raw []byte, mediaType types.MediaType) v1.Descriptor {
	desc, _ := registry.Bytes(raw).Descriptor()
	return v1.Descriptor{MediaType: mediaType, Digest: desc.Digest, Size: desc.Size}
}

// of makes the documents about the image a, which goes to targets: of each
// platform's image, then of the index.
func (d documentOptions) of(img *Image, a *assembled, targets []target) ([]*document, error) {
	if d.none() {
		return nil, nil
	}
	subjects, bills, err := a.bills()
	if err != nil {
		return nil, err
	}
	var all []*document
	for i, bill := range bills {
		about := bill.Platform
		if len(bill.Images) > 0 {
			about = "the index"
		}
		if d.sbom != "" {
			f := sbom.Format(d.sbom)
			raw, err := sbom.Encode(bill, f)
			if err != nil {
				return nil, fmt.Errorf("SBOM of %s: %w", about, err)
			}
			doc, err := newDocument("SBOM of "+about, f.MediaType(), "sbom."+string(f)+".json", nil, raw, subjects[i])
			if err != nil {
				return nil, err
			}
			all = append(all, doc)
		}
		if d.provenance != nil {
			raw, err := provenance.Encode(d.provenance.build(img, bill, targets))
			if err != nil {
				return nil, fmt.Errorf("provenance of %s: %w", about, err)
			}
			doc, err := newDocument("provenance of "+about, provenance.MediaType, "provenance.intoto.json", d.provenance.annotations(), raw, subjects[i])
			if err != nil {
				return nil, err
			}
			all = append(all, doc)
		}
	}
	return all, nil
}

// referrerLists is the documents by subject, in their order.
func (a *assembled) referrerLists() []referrerList {
	var lists []referrerList
	for _, d := range a.documents {
		i := slices.IndexFunc(lists, func(l referrerList) bool { return l.subject.desc.Digest == d.subject.Digest })
		if i < 0 {
			i = len(lists)
			lists = append(lists, referrerList{subject: &manifest{desc: d.subject}})
		}
		lists[i].referrers = append(lists[i].referrers, d.manifest)
	}
	return lists
}
