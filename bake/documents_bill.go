// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"fmt"
	"path"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/internal/sbom"
)

// bills is what the SBOMs of each platform's image say, and after them that of
// the index, with the manifests that they are about.
func (a *assembled) bills() ([]v1.Descriptor, []sbom.Image, error) {
	var subjects []v1.Descriptor
	var bills []sbom.Image
	var records []*Record
	for _, one := range a.images {
		config, err := parseConfig(one.config)
		if err != nil {
			return nil, nil, err
		}
		r, err := recordOf(config)
		if err != nil {
			return nil, nil, fmt.Errorf("platform %s: %w", one.base.platform, err)
		}
		subjects, bills = append(subjects, one.desc), append(bills, billOf(one.desc.Digest, one.base.platform, config, r))
		records = append(records, r)
	}
	if a.index {
		subjects, bills = append(subjects, a.desc), append(bills, indexBill(a.desc.Digest, bills, records))
	}
	return subjects, bills, nil
}

// billOf is what the SBOM of an image says: it follows from the image's digest,
// platform and config, whose record is r.
func billOf(digest v1.Hash, platform v1.Platform, config *baseConfig, r *Record) sbom.Image {
	bill := sbom.Image{
		Name: "image", Digest: digest, Platform: platform.String(), Created: creation(config.created),
		Base: sbom.Base{Name: r.Base.Name, Digest: r.Base.Digest},
	}
	for _, f := range r.Assets {
		if f.Role == RoleModel {
			bill.Name = path.Base(f.Path)
		}
		bill.Files = append(bill.Files, sbom.File{
			Role: string(f.Role), Name: f.Name, Path: f.Path, Size: f.Size, SHA256: f.SHA256, Tree: f.Tree, Files: f.Files,
		})
	}
	if title := config.labels[titleAnnotation]; title != "" && slices.Contains(r.Labels.Set, titleAnnotation) {
		bill.Name = title
	}
	return bill
}

// indexBill is what the SBOM of an index of baked images with these records
// says. Its base is the index that theirs are of, if that is one.
func indexBill(digest v1.Hash, images []sbom.Image, records []*Record) sbom.Image {
	bill := sbom.Image{Name: images[0].Name, Digest: digest, Created: images[0].Created, Images: slices.Clone(images)}
	for i, r := range records {
		switch {
		case r.Base.Index == nil, i > 0 && bill.Base.Digest != r.Base.Index.Digest:
			bill.Base = sbom.Base{}
			return bill
		}
		bill.Base = sbom.Base{Name: r.Base.Name, Digest: r.Base.Index.Digest}
	}
	return bill
}

// creation is a config's creation time in SPDX's form, or "" where it has none.
func creation(s string) string {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}
