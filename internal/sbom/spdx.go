// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spdx/tools-golang/spdx/v2/common"
	spdx "github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// epoch is the creation time of a bill whose image has none: SPDX wants one.
const epoch = "1970-01-01T00:00:00Z"

// noAssertion is SPDX's word for what a bill leaves open.
const noAssertion = "NOASSERTION"

// encodeSPDX writes files as packages: SPDX's own files need a SHA-1, which the
// record does not have.
func encodeSPDX(img Image) ([]byte, error) {
	created := img.Created
	if created == "" {
		created = epoch
	}
	doc := &spdx.Document{
		SPDXVersion: spdx.Version, DataLicense: spdx.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      img.Name,
		DocumentNamespace: "https://github.com/crane-bake/crane-bake/sbom/spdx/" + img.id(SPDX),
		CreationInfo:      &spdx.CreationInfo{Created: created, Creators: []common.Creator{{CreatorType: "Tool", Creator: Tool}}},
	}
	relate := func(a common.ElementID, how string, b common.ElementID) {
		doc.Relationships = append(doc.Relationships, &spdx.Relationship{
			RefA: common.DocElementID{ElementRefID: a}, Relationship: how, RefB: common.DocElementID{ElementRefID: b},
		})
	}
	bases, files := img.Bases(), img.AllFiles()
	for n, b := range bases {
		doc.Packages = append(doc.Packages, b.pkg(spdxID("base", n)))
	}
	for n, f := range files {
		doc.Packages = append(doc.Packages, f.pkg(spdxID("file", n)))
	}
	for n, one := range append([]Image{img}, img.Images...) {
		id := spdxID("image", n)
		doc.Packages = append(doc.Packages, one.pkg(id))
		if n == 0 {
			relate(doc.SPDXIdentifier, common.TypeRelationshipDescribe, id)
		} else {
			relate(id, common.TypeRelationshipVariantOf, spdxID("image", 0))
		}
		if n := slices.Index(bases, one.Base); n >= 0 {
			relate(id, common.TypeRelationshipDescendantOf, spdxID("base", n))
		}
		for _, f := range unique(one.Files) {
			relate(id, common.TypeRelationshipContains, spdxID("file", slices.Index(files, f)))
		}
	}
	return json.Marshal(doc)
}

func spdxID(kind string, n int) common.ElementID {
	return common.ElementID(fmt.Sprintf("%s-%d", kind, n))
}

// pkg is a package of which nothing more is known.
func pkg(id common.ElementID, name, purpose, sha256 string) *spdx.Package {
	p := &spdx.Package{
		PackageName: name, PackageSPDXIdentifier: id, PrimaryPackagePurpose: purpose, PackageDownloadLocation: noAssertion,
		PackageLicenseConcluded: noAssertion, PackageLicenseDeclared: noAssertion, PackageCopyrightText: noAssertion,
	}
	if sha256 != "" {
		p.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: sha256}}
	}
	return p
}

func (i Image) pkg(id common.ElementID) *spdx.Package {
	p := pkg(id, i.Name, "CONTAINER", i.Digest.Hex)
	p.PackageVersion, p.PackageSummary, p.PackageComment = i.Digest.String(), roleImage, i.Platform
	return p
}

func (b Base) pkg(id common.ElementID) *spdx.Package {
	name, _ := splitName(b.Name)
	if name == "" {
		name = roleBase
	}
	p := pkg(id, name, "CONTAINER", b.Digest.Hex)
	p.PackageVersion, p.PackageSummary = b.Digest.String(), roleBase
	if purl := PURL(b.Name, b.Digest); purl != "" {
		p.PackageExternalReferences = []*spdx.PackageExternalReference{{Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: purl}}
	}
	return p
}

func (f File) pkg(id common.ElementID) *spdx.Package {
	key, sum := f.sum()
	purpose, hash := "FILE", sum
	if key != "" {
		hash = ""
	}
	if f.Role == "attachment" {
		purpose = "ARCHIVE"
	}
	p := pkg(id, base(f.Path), purpose, hash)
	p.PackageFileName, p.PackageSummary = f.Path, f.what()
	if key != "" {
		p.PackageComment = key + "=" + sum
	}
	return p
}

// spdxBill is what is read of a bill. SPDX's own library panics over documents
// that are none, and anybody may attach one.
type spdxBill struct {
	CreationInfo struct {
		Creators []string `json:"creators"`
	} `json:"creationInfo"`
	Packages []struct {
		ID        string `json:"SPDXID"`
		FileName  string `json:"packageFileName"`
		Summary   string `json:"summary"`
		Comment   string `json:"comment"`
		Checksums []struct {
			Algorithm string `json:"algorithm"`
			Value     string `json:"checksumValue"`
		} `json:"checksums"`
	} `json:"packages"`
}

// readSPDX is what a bill says; it is ours if no other tool had a part in it.
func readSPDX(raw []byte) (s statement, own bool, err error) {
	var bill spdxBill
	if err := json.Unmarshal(raw, &bill); err != nil {
		return s, false, fmt.Errorf("reading SPDX: %w", err)
	}
	tools := slices.DeleteFunc(bill.CreationInfo.Creators, func(creator string) bool { return !strings.HasPrefix(creator, "Tool:") })
	if !slices.Equal(tools, []string{"Tool: " + Tool}) {
		return s, false, nil
	}
	for _, p := range bill.Packages {
		var sums []string
		for _, c := range p.Checksums {
			if c.Algorithm == string(common.SHA256) {
				sums = append(sums, c.Value)
			}
		}
		sum := strings.Join(sums, " ")
		switch {
		case p.ID == common.RenderElementID(spdxID(roleImage, 0)) && s.subject == "":
			s.subject = sum
		case p.Summary == roleImage:
			s.images = append(s.images, sum)
		case p.Summary == roleBase:
			s.bases = append(s.bases, sum)
		default:
			if value, ok := strings.CutPrefix(p.Comment, propTreeSHA256+"="); ok {
				sum = value
			} else if target, ok := strings.CutPrefix(p.Comment, propLink+"="); ok {
				sum = linkPrefix + target
			}
			s.files = append(s.files, stated{p.Summary, p.FileName, sum})
		}
	}
	return s, true, nil
}
