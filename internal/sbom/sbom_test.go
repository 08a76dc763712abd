// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package sbom_test

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"

	"github.com/crane-bake/crane-bake/internal/sbom"
)

// digest is one of repeated digits.
func digest(digit string) v1.Hash {
	return v1.Hash{Algorithm: "sha256", Hex: strings.Repeat(digit, 64)}
}

// scorer is an image with a file of every kind.
func scorer() sbom.Image {
	return sbom.Image{
		Name: "model.py3", Digest: digest("1"), Platform: "linux/amd64", Created: "2026-01-02T03:04:05Z",
		Base: sbom.Base{Name: "registry.example.com:5000/team/engine:1.10", Digest: digest("2")},
		Files: []sbom.File{
			{Role: "model", Path: "/assets/model.py3", Size: 10, SHA256: digest("a").Hex},
			{Role: "schema", Name: "input <&>", Path: "/assets/in.avsc", Size: 20, SHA256: digest("b").Hex},
			{Role: "stream", Name: "0", Path: "/assets/s.json", Size: 30, SHA256: digest("c").Hex},
			{Role: "stream", Name: "2", Path: "/assets/s.json", Size: 30, SHA256: digest("c").Hex},
			{Role: "attachment", Path: "/assets/t.tar.gz", Size: 40, SHA256: digest("d").Hex},
			{Role: "unpack", Path: "/assets/w", Size: 50, SHA256: digest("e").Hex, Tree: true, Files: 3},
			{Role: "asset", Path: "/assets/link", SHA256: "link:../elsewhere"},
		},
	}
}

// index is one of two scorers that differ in a file.
func index() sbom.Image {
	arm := scorer()
	arm.Digest, arm.Platform, arm.Base.Digest = digest("3"), "linux/arm64", digest("4")
	arm.Files[0].SHA256 = digest("f").Hex
	return sbom.Image{
		Name: "model.py3", Digest: digest("5"), Created: scorer().Created,
		Base: sbom.Base{Name: scorer().Base.Name, Digest: digest("6")}, Images: []sbom.Image{scorer(), arm},
	}
}

func fromFile() sbom.Image {
	img := scorer()
	img.Base.Name, img.Created = "", ""
	return img
}

var images = map[string]func() sbom.Image{"image": scorer, "index": index, "base in a file": fromFile}

func encode(t testing.TB, img sbom.Image, f sbom.Format) []byte {
	t.Helper()
	raw, err := sbom.Encode(img, f)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestCycloneDX(t *testing.T) {
	compiler := jsonschema.NewCompiler()
	add := func(url string, raw []byte) {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if err := compiler.AddResource(url, doc); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bom-1.6.schema.json", "jsf-0.82.schema.json"} {
		raw, err := os.ReadFile("testdata/schema/" + name)
		if err != nil {
			t.Fatal(err)
		}
		add("http://cyclonedx.org/schema/"+name, raw)
	}
	// The licences' identifiers: bills name none.
	add("http://cyclonedx.org/schema/spdx.schema.json", []byte(`{"enum":[]}`))
	compiler.AssertFormat()
	schema, err := compiler.Compile("http://cyclonedx.org/schema/bom-1.6.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, img := range images {
		t.Run(name, func(t *testing.T) {
			raw := encode(t, img(), sbom.CycloneDX)
			doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(doc); err != nil {
				t.Errorf("%v\n%s", err, raw)
			}
			var bom cdx.BOM
			dec := json.NewDecoder(bytes.NewReader(raw))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&bom); err != nil {
				t.Fatal(err)
			}
			types := map[cdx.ComponentType]int{}
			refs := map[string]bool{bom.Metadata.Component.BOMRef: true}
			for _, c := range *bom.Components {
				types[c.Type]++
				if refs[c.BOMRef] {
					t.Errorf("reference %q twice", c.BOMRef)
				}
				refs[c.BOMRef] = true
			}
			want := map[cdx.ComponentType]int{"machine-learning-model": 1, "data": 3, "file": 3, "container": 1}
			if name == "index" {
				want["machine-learning-model"], want["container"] = 2, 5
			}
			if diff := cmp.Diff(want, types); diff != "" {
				t.Errorf("components (-want +got):\n%s", diff)
			}
			for _, d := range *bom.Dependencies {
				for _, ref := range append([]string{d.Ref}, *d.Dependencies...) {
					if !refs[ref] {
						t.Errorf("dependency on %q, which is none of the components", ref)
					}
				}
			}
		})
	}
	// The version 5 UUID of the bill's URL.
	if raw := encode(t, scorer(), sbom.CycloneDX); !bytes.Contains(raw, []byte(`"urn:uuid:d6c8f229-8d82-57dc-b9ea-6dfaec048288"`)) {
		t.Errorf("another serial number:\n%s", raw)
	}
}

func TestSPDX(t *testing.T) {
	for name, img := range images {
		t.Run(name, func(t *testing.T) {
			raw := encode(t, img(), sbom.SPDX)
			var doc spdx.Document
			if err := json.Unmarshal(raw, &doc); err != nil {
				t.Fatal(err)
			}
			// What the library does not know, it would not write again.
			again, err := json.Marshal(&doc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(raw), string(again)); diff != "" {
				t.Errorf("read and written again (-want +got):\n%s", diff)
			}
			if doc.SPDXVersion != "SPDX-2.3" || doc.DataLicense != "CC0-1.0" || doc.SPDXIdentifier != "DOCUMENT" || doc.CreationInfo.Created == "" {
				t.Errorf("not an SPDX 2.3 document: %s", raw)
			}
			ids := map[common.ElementID]bool{"DOCUMENT": true}
			for _, p := range doc.Packages {
				if ids[p.PackageSPDXIdentifier] || p.PackageName == "" || p.FilesAnalyzed {
					t.Errorf("package %s: identifier used twice, no name, or files analysed", p.PackageSPDXIdentifier)
				}
				ids[p.PackageSPDXIdentifier] = true
			}
			kinds := map[string]int{}
			for _, r := range doc.Relationships {
				kinds[r.Relationship]++
				if !ids[r.RefA.ElementRefID] || !ids[r.RefB.ElementRefID] {
					t.Errorf("%s of %s and %s: one is not there", r.Relationship, r.RefA.ElementRefID, r.RefB.ElementRefID)
				}
			}
			want := map[string]int{"DESCRIBES": 1, "DESCENDANT_OF": 1, "CONTAINS": 7}
			if name == "index" {
				want = map[string]int{"DESCRIBES": 1, "DESCENDANT_OF": 3, "CONTAINS": 14, "VARIANT_OF": 2}
			}
			if diff := cmp.Diff(want, kinds); diff != "" {
				t.Errorf("relationships (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEncodeUnknownFormat(t *testing.T) {
	if _, err := sbom.Encode(scorer(), "xml"); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("got %v", err)
	}
}

func TestPURL(t *testing.T) {
	sum := "sha256%3A" + digest("1").Hex
	for _, tc := range []struct{ name, want string }{
		{"", ""},
		{"docker.io/fastscore/engine:1.10", "pkg:oci/engine@" + sum + "?repository_url=docker.io/fastscore/engine&tag=1.10"},
		{"localhost:5000/engine", "pkg:oci/engine@" + sum + "?repository_url=localhost:5000/engine"},
		{"r.example.com/a/b@" + digest("1").String(), "pkg:oci/b@" + sum + "?repository_url=r.example.com/a/b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := sbom.PURL(tc.name, digest("1")); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}
