// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package provenance

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

type differ = func(name, format string, args ...any)

// Compare compares a statement with the image that it is about: want's digest,
// and those of its materials. Others that the statement has, such as a source
// revision, are not judged. It reports false for a statement that is none of a
// bake.
//
// differs hears of each thing that the statement says and is not so: of a path
// or a digest, or of the statement as a whole where the name is empty.
func Compare(raw []byte, want Build, differs func(name, format string, args ...any)) (own bool, err error) {
	s, p, err := read(raw)
	if err != nil || p.GetBuildDefinition().GetBuildType() != BuildType {
		return false, err
	}
	for _, subject := range s.GetSubject() {
		switch got := subject.GetDigest()[want.Digest.Algorithm]; got {
		case want.Digest.Hex:
		case "":
			differs("", "has a subject without %s, not %s", want.Digest.Algorithm, want.Digest)
		default:
			differs(want.Digest.Algorithm+":"+got, "is its subject, not %s", want.Digest)
		}
	}
	if len(s.GetSubject()) == 0 {
		differs("", "has no subject")
	}
	compareMaterials(want.Materials, p.GetBuildDefinition().GetResolvedDependencies(), differs)
	return true, nil
}

// read reads a statement, and its predicate if that is SLSA provenance. What it
// does not know is ignored, as in-toto's specification wants (spec/v1,
// "Parsing rules").
func read(raw []byte) (*intoto.Statement, *slsa.Provenance, error) {
	s, p := &intoto.Statement{}, &slsa.Provenance{}
	if !json.Valid(raw) {
		return nil, nil, errors.New("the statement is not JSON")
	}
	if err := unmarshal(raw, s); err != nil {
		return nil, nil, fmt.Errorf("reading the statement: %w", err)
	}
	if s.GetPredicateType() != PredicateType {
		return s, p, nil
	}
	predicate, err := protojson.Marshal(s.GetPredicate())
	if err != nil {
		return nil, nil, err
	}
	if predicate, err = canonical(predicate); err != nil {
		return nil, nil, err
	}
	if err := unmarshal(predicate, p); err != nil {
		return nil, nil, fmt.Errorf("reading the SLSA provenance: %w", err)
	}
	return s, p, nil
}

// unmarshal has errors of the same text in every build of a program: protobuf
// has some of its spaces break lines and others not, on purpose.
func unmarshal(raw []byte, m proto.Message) error {
	err := (protojson.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(raw, m)
	if err == nil {
		return nil
	}
	text := strings.ReplaceAll(err.Error(), "\u00a0", " ")
	return errors.New(strings.TrimPrefix(text, "proto: "))
}

// compareMaterials compares what is stated under the names of want's materials:
// all of it must be so, since readers may take any.
func compareMaterials(want []Material, stated []*intoto.ResourceDescriptor, differs differ) {
	var extra []*intoto.ResourceDescriptor
	for _, d := range stated {
		named := func(m Material) bool { return m.Name == d.GetName() }
		if slices.ContainsFunc(want, named) && !slices.ContainsFunc(want, func(m Material) bool { return m.is(d) }) {
			extra = append(extra, d)
		}
	}
	for _, m := range want {
		if slices.ContainsFunc(stated, m.is) {
			continue
		}
		i := slices.IndexFunc(extra, func(d *intoto.ResourceDescriptor) bool { return d.GetName() == m.Name })
		if i < 0 {
			differs(m.Name, "is not among its dependencies")
			continue
		}
		differs(m.Name, "has %s, the image says %s", digests(extra[i].GetDigest()), digests(m.Digest))
		extra = slices.Delete(extra, i, i+1)
	}
	for _, d := range extra {
		differs(d.GetName(), "is among its dependencies twice, the other time with %s", digests(d.GetDigest()))
	}
}

// is reports whether d states the material.
func (m Material) is(d *intoto.ResourceDescriptor) bool {
	return d.GetName() == m.Name && maps.Equal(m.Digest, d.GetDigest())
}

// digests is a set of digests in words.
func digests(set map[string]string) string {
	text := ""
	for _, algorithm := range slices.Sorted(maps.Keys(set)) {
		if text != "" {
			text += ", "
		}
		text += algorithm + " " + set[algorithm]
	}
	if text == "" {
		return "no digest"
	}
	return text
}
