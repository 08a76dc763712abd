// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package provenance writes SLSA provenance of baked images as in-toto
// statements, and compares it with the images. What it writes follows from its
// input alone, byte for byte.
package provenance

import (
	"bytes"
	"encoding/json"
	"fmt"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"
)

const (
	// MediaType is that of an in-toto statement.
	MediaType = "application/vnd.in-toto+json"
	// PredicateType is that of SLSA provenance.
	PredicateType = "https://slsa.dev/provenance/v1"
	// BuildType says what the parameters of a bake mean: docs/provenance.md.
	BuildType = "https://github.com/crane-bake/crane-bake/blob/main/docs/provenance.md#buildtype-v1"
	// TreeSHA256 is the digest algorithm for directories and archives: SHA-256
	// of the list of their files.
	TreeSHA256 = "crane-bake-tree-sha256"
)

// A Build is a bake as its provenance tells it.
type Build struct {
	Names      []string // of repositories that hold the image; without any, it has no name
	Digest     v1.Hash  // of the image or index
	Parameters map[string]any
	Materials  []Material
	Builder    string // URI
	Invocation string // URI; empty for none
}

// Material is something that went into the image.
type Material struct {
	Name, URI   string
	Digest      map[string]string // hex by algorithm
	Annotations map[string]any
}

// Encode is the statement for b.
func Encode(b Build) ([]byte, error) {
	parameters, err := object(b.Parameters)
	if err != nil {
		return nil, err
	}
	predicate := &slsa.Provenance{
		BuildDefinition: &slsa.BuildDefinition{BuildType: BuildType, ExternalParameters: parameters},
		RunDetails:      &slsa.RunDetails{Builder: &slsa.Builder{Id: b.Builder}},
	}
	if b.Invocation != "" {
		predicate.RunDetails.Metadata = &slsa.BuildMetadata{InvocationId: b.Invocation}
	}
	for _, m := range b.Materials {
		d := &intoto.ResourceDescriptor{Name: m.Name, Uri: m.URI, Digest: m.Digest}
		if len(m.Annotations) > 0 {
			if d.Annotations, err = object(m.Annotations); err != nil {
				return nil, err
			}
		}
		predicate.BuildDefinition.ResolvedDependencies = append(predicate.BuildDefinition.ResolvedDependencies, d)
	}
	if err := predicate.Validate(); err != nil {
		return nil, fmt.Errorf("SLSA provenance: %w", err)
	}
	raw, err := protojson.Marshal(predicate)
	if err != nil {
		return nil, err
	}
	s := &intoto.Statement{Type: intoto.StatementTypeUri, Subject: b.subjects(), PredicateType: PredicateType, Predicate: &structpb.Struct{}}
	if err := protojson.Unmarshal(raw, s.Predicate); err != nil {
		return nil, err
	}
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("in-toto statement: %w", err)
	}
	if raw, err = protojson.Marshal(s); err != nil {
		return nil, err
	}
	return canonical(raw)
}

func (b Build) subjects() []*intoto.ResourceDescriptor {
	names := b.Names
	if len(names) == 0 {
		names = []string{""}
	}
	var subjects []*intoto.ResourceDescriptor
	for _, name := range names {
		subjects = append(subjects, &intoto.ResourceDescriptor{Name: name, Digest: map[string]string{b.Digest.Algorithm: b.Digest.Hex}})
	}
	return subjects
}

// object is m as a protobuf object, whatever Go types its values have.
func object(m map[string]any) (*structpb.Struct, error) {
	s := &structpb.Struct{}
	if len(m) == 0 {
		return s, nil
	}
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	return s, protojson.Unmarshal(raw, s)
}

// canonical is JSON with sorted keys and no white space. What protojson writes
// differs from build to build of a program, on purpose.
func canonical(raw []byte) ([]byte, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
