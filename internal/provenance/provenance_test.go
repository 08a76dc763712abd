// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package provenance_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/crane-bake/crane-bake/internal/provenance"
)

var hex = strings.Repeat

func sample() provenance.Build {
	return provenance.Build{
		Names:      []string{"registry.example.com/team/scorer", "localhost:5000/scorer"},
		Digest:     v1.Hash{Algorithm: "sha256", Hex: hex("1", 64)},
		Parameters: map[string]any{"base": "engine:1.10", "env": []string{"A", "B<"}, "created": int64(1700000000)},
		Materials: []provenance.Material{
			{Name: "source", URI: "git+https://example.com/a", Digest: map[string]string{"gitCommit": hex("2", 40)}},
			{Name: "/assets/model.py3", Digest: map[string]string{"sha256": hex("3", 64)}, Annotations: map[string]any{"role": "model"}},
			{Name: "/assets/w", Digest: map[string]string{provenance.TreeSHA256: hex("4", 64)}},
		},
		Builder: "https://ci.example.com/", Invocation: "https://ci.example.com/1",
	}
}

func encode(t testing.TB, b provenance.Build) []byte {
	t.Helper()
	raw, err := provenance.Encode(b)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// The statement reads strictly as one, and its predicate as SLSA's.
func TestEncode(t *testing.T) {
	raw := encode(t, sample())
	s, p := &intoto.Statement{}, &slsa.Provenance{}
	if err := protojson.Unmarshal(raw, s); err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	if err := s.Validate(); err != nil {
		t.Error(err)
	}
	var whole struct {
		Predicate json.RawMessage `json:"predicate"`
	}
	if err := json.Unmarshal(raw, &whole); err != nil {
		t.Fatal(err)
	}
	if err := protojson.Unmarshal(whole.Predicate, p); err != nil {
		t.Fatalf("%v\n%s", err, whole.Predicate)
	}
	if err := p.Validate(); err != nil {
		t.Error(err)
	}
	want := `{"_type":"https://in-toto.io/Statement/v1","predicate":{"buildDefinition":{"buildType":"` + provenance.BuildType + `",` +
		`"externalParameters":{"base":"engine:1.10","created":1700000000,"env":["A","B<"]},"resolvedDependencies":[` +
		`{"digest":{"gitCommit":"` + hex("2", 40) + `"},"name":"source","uri":"git+https://example.com/a"},` +
		`{"annotations":{"role":"model"},"digest":{"sha256":"` + hex("3", 64) + `"},"name":"/assets/model.py3"},` +
		`{"digest":{"crane-bake-tree-sha256":"` + hex("4", 64) + `"},"name":"/assets/w"}]},` +
		`"runDetails":{"builder":{"id":"https://ci.example.com/"},"metadata":{"invocationId":"https://ci.example.com/1"}}},` +
		`"predicateType":"https://slsa.dev/provenance/v1","subject":[` +
		`{"digest":{"sha256":"` + hex("1", 64) + `"},"name":"registry.example.com/team/scorer"},` +
		`{"digest":{"sha256":"` + hex("1", 64) + `"},"name":"localhost:5000/scorer"}]}`
	if diff := cmp.Diff(want, string(raw)); diff != "" {
		t.Errorf("statement (-want +got):\n%s", diff)
	}
}

// What SLSA requires is asked for before anything is attached.
func TestEncodeRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(b *provenance.Build)
		says   string
	}{
		{"no builder", func(b *provenance.Build) { b.Builder = "" }, "builder"},
		{"no parameters", func(b *provenance.Build) { b.Parameters = nil }, "externalParameters"},
		{"a digest that is none", func(b *provenance.Build) { b.Materials[0].Digest["gitCommit"] = "HEAD" }, "HEAD"},
		{"no digest", func(b *provenance.Build) { b.Digest.Hex = "" }, "digest"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := sample()
			tc.change(&b)
			if _, err := provenance.Encode(b); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, want an error that says %q", err, tc.says)
			}
		})
	}
}
