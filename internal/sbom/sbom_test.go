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

// What Compare finds is what was changed, in either format.
func TestCompare(t *testing.T) {
	for _, tc := range []struct {
		name   string
		img    func() sbom.Image
		change func(img *sbom.Image)
		want   []sbom.Difference
	}{
		{"nothing", scorer, func(*sbom.Image) {}, nil},
		{"nothing of an index", index, func(*sbom.Image) {}, nil},
		{"subject", scorer, func(i *sbom.Image) { i.Digest = digest("9") }, []sbom.Difference{
			{digest("1").String(), "is the image that it is about, not " + digest("9").String()},
		}},
		{"base", scorer, func(i *sbom.Image) { i.Base.Digest = digest("9") }, []sbom.Difference{
			{digest("9").String(), "is not in it as base"}, {digest("2").String(), "is in it as base, and is none"},
		}},
		{"image", index, func(i *sbom.Image) { i.Images[1].Digest = digest("9") }, []sbom.Difference{
			{digest("9").String(), "is not in it as image"}, {digest("3").String(), "is in it as image, and is none"},
		}},
		{"content", scorer, func(i *sbom.Image) { i.Files[0].SHA256 = digest("9").Hex }, []sbom.Difference{
			{"/assets/model.py3", "has sha256 " + digest("a").Hex + ", the record says " + digest("9").Hex},
		}},
		{"content of a directory", scorer, func(i *sbom.Image) { i.Files[5].SHA256 = digest("9").Hex }, []sbom.Difference{
			{"/assets/w", "has sha256 " + digest("e").Hex + ", the record says " + digest("9").Hex},
		}},
		{"link", scorer, func(i *sbom.Image) { i.Files[6].SHA256 = "link:x" }, []sbom.Difference{
			{"/assets/link", "has sha256 link:../elsewhere, the record says link:x"},
		}},
		{"one more", scorer, func(i *sbom.Image) { i.Files = append(i.Files, sbom.File{Role: "asset", Path: "/x"}) }, []sbom.Difference{
			{"/x", "is not in it; the record has it as asset"},
		}},
		{"one less", scorer, func(i *sbom.Image) { i.Files = i.Files[:6] }, []sbom.Difference{
			{"/assets/link", "is in it as asset, and not in the record"},
		}},
		{"another slot", scorer, func(i *sbom.Image) { i.Files[3].Name = "4" }, []sbom.Difference{
			{"/assets/s.json", "is not in it; the record has it as stream 4"},
			{"/assets/s.json", "is in it as stream 2, and not in the record"},
		}},
	} {
		for _, f := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
			t.Run(tc.name+" "+string(f), func(t *testing.T) {
				raw := encode(t, tc.img(), f)
				img := tc.img()
				tc.change(&img)
				got, own, err := sbom.Compare(raw, f, img)
				if diff := cmp.Diff(tc.want, got); err != nil || !own || diff != "" {
					t.Errorf("own %t, error %v, differences (-want +got):\n%s", own, err, diff)
				}
			})
		}
	}
}

// Bills of others are theirs; what is no bill is an error.
func TestCompareForeign(t *testing.T) {
	for _, f := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
		foreign := bytes.ReplaceAll(encode(t, scorer(), f), []byte(sbom.Tool), []byte("another"))
		for _, raw := range []string{string(foreign), "{}", `{"packages":[null]}`, `{"components":[{}]}`} {
			if got, own, err := sbom.Compare([]byte(raw), f, index()); err != nil || own || got != nil {
				t.Errorf("%s %.40s: own %t, error %v, differences %v", f, raw, own, err, got)
			}
		}
		if _, _, err := sbom.Compare([]byte("{"), f, index()); err == nil {
			t.Errorf("%s: half an object is a bill", f)
		}
	}
}

// Anybody may attach anything.
func FuzzCompare(f *testing.F) {
	for _, format := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
		f.Add(encode(f, index(), format))
		f.Add(encode(f, scorer(), format))
	}
	f.Add([]byte(`{"packages":[null],"components":[null],"metadata":{"tools":[{"name":"crane-bake"}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, format := range []sbom.Format{sbom.CycloneDX, sbom.SPDX} {
			got, own, err := sbom.Compare(raw, format, scorer())
			if (err != nil || !own) && got != nil {
				t.Errorf("%s: own %t, error %v, and differences %v", format, own, err, got)
			}
		}
	})
}
