// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package sbom

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// The names of a component's properties.
const (
	propRole       = "crane-bake:role"        // image, base, or that of a file
	propName       = "crane-bake:name"        // that a file is bound to
	propPath       = "crane-bake:path"        // of a file in the image
	propSize       = "crane-bake:size"        // in bytes
	propFiles      = "crane-bake:files"       // how many files a tree has
	propTreeSHA256 = "crane-bake:tree-sha256" // of the list of a tree's files
	propLink       = "crane-bake:link"        // where a symbolic link leads
	propPlatform   = "crane-bake:platform"    // of an image
)

// The roles of components that are no files.
const (
	roleImage = "image"
	roleBase  = "base"
)

func encodeCycloneDX(img Image) ([]byte, error) {
	bom := cdx.NewBOM()
	bom.JSONSchema = "http://cyclonedx.org/schema/bom-1.6.schema.json"
	bom.SerialNumber = "urn:uuid:" + img.id(CycloneDX)
	top := img.component()
	bom.Metadata = &cdx.Metadata{
		Timestamp: img.Created,
		Tools:     &cdx.ToolsChoice{Components: &[]cdx.Component{{Type: cdx.ComponentTypeApplication, Name: Tool}}},
		Component: &top,
	}
	var components []cdx.Component
	var opaque []cdx.BOMReference
	for _, b := range img.Bases() {
		c := b.component()
		components = append(components, c)
		opaque = append(opaque, cdx.BOMReference(c.BOMRef))
	}
	for _, child := range img.Images {
		components = append(components, child.component())
	}
	for _, f := range img.AllFiles() {
		components = append(components, f.component())
	}
	bom.Components = &components
	bom.Dependencies = img.dependencies()
	bom.Compositions = &[]cdx.Composition{{Aggregate: cdx.CompositionAggregateIncomplete, Assemblies: &opaque}}
	var b bytes.Buffer
	err := cdx.NewBOMEncoder(&b, cdx.BOMFileFormatJSON).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
	return b.Bytes(), err
}

// dependencies is the graph: an index has images, an image its base and files.
func (i Image) dependencies() *[]cdx.Dependency {
	var graph []cdx.Dependency
	for _, one := range append([]Image{i}, i.Images...) {
		on := []string{}
		if one.Base != (Base{}) {
			on = append(on, one.Base.ref())
		}
		for _, child := range one.Images {
			on = append(on, child.ref())
		}
		for _, f := range unique(one.Files) {
			on = append(on, f.ref())
		}
		graph = append(graph, cdx.Dependency{Ref: one.ref(), Dependencies: &on})
	}
	return &graph
}

func (i Image) ref() string { return "image:" + i.Digest.String() }

func (i Image) component() cdx.Component {
	properties := []cdx.Property{{Name: propRole, Value: roleImage}}
	if i.Platform != "" {
		properties = append(properties, cdx.Property{Name: propPlatform, Value: i.Platform})
	}
	return cdx.Component{
		Type: cdx.ComponentTypeContainer, BOMRef: i.ref(), Name: i.Name, Version: i.Digest.String(),
		Hashes: hashes(i.Digest.Hex), Properties: &properties,
	}
}

func (b Base) ref() string { return "base:" + b.Digest.String() }

func (b Base) component() cdx.Component {
	name, _ := splitName(b.Name)
	if name == "" {
		name = roleBase
	}
	return cdx.Component{
		Type: cdx.ComponentTypeContainer, BOMRef: b.ref(), Name: name, Version: b.Digest.String(),
		Hashes: hashes(b.Digest.Hex), PackageURL: PURL(b.Name, b.Digest), Properties: &[]cdx.Property{{Name: propRole, Value: roleBase}},
	}
}

func hashes(hex string) *[]cdx.Hash { return &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex}} }

// ref tells files apart, and those of platforms that have other content.
func (f File) ref() string { return "file:" + f.Role + ":" + f.Name + ":" + f.Path + "#" + f.SHA256 }

func (f File) component() cdx.Component {
	c := cdx.Component{Type: cdx.ComponentTypeFile, BOMRef: f.ref(), Name: base(f.Path), Description: f.what()}
	properties := []cdx.Property{{Name: propRole, Value: f.Role}}
	add := func(name, value string) { properties = append(properties, cdx.Property{Name: name, Value: value}) }
	if f.Name != "" {
		add(propName, f.Name)
	}
	add(propPath, f.Path)
	add(propSize, strconv.FormatInt(f.Size, 10))
	if f.Tree {
		add(propFiles, strconv.Itoa(f.Files))
	}
	if key, value := f.sum(); key == "" {
		c.Hashes = hashes(value)
	} else {
		add(key, value)
	}
	data := func(kind cdx.ComponentDataType) {
		c.Type, c.Data = cdx.ComponentTypeData, &[]cdx.ComponentData{{Type: kind}}
	}
	switch f.Role {
	case "model":
		c.Type = cdx.ComponentTypeMachineLearningModel
	case "schema":
		data(cdx.ComponentDataTypeDefinition)
	case "stream":
		data(cdx.ComponentDataTypeConfiguration)
	}
	c.Properties = &properties
	return c
}

// readCycloneDX is what a bill says; it is ours if no other tool had a part in
// it.
func readCycloneDX(raw []byte) (s statement, own bool, err error) {
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(bytes.NewReader(raw), cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		return s, false, fmt.Errorf("reading CycloneDX: %w", err)
	}
	if bom.Metadata == nil || !onlyTool(bom.Metadata.Tools) {
		return s, false, nil
	}
	if bom.Metadata.Component != nil {
		s.subject = hashOf(*bom.Metadata.Component)
	}
	if bom.Components == nil {
		return s, true, nil
	}
	for _, c := range *bom.Components {
		switch role := property(c, propRole); role {
		case roleImage:
			s.images = append(s.images, hashOf(c))
		case roleBase:
			s.bases = append(s.bases, hashOf(c))
		case "": // this package gives each one a role
			s.files = append(s.files, stated{what: string(c.Type), path: c.Name, sum: hashOf(c)})
		default:
			f := stated{what: File{Role: role, Name: property(c, propName)}.what(), path: property(c, propPath), sum: hashOf(c)}
			if sum := property(c, propTreeSHA256); sum != "" {
				f.sum = sum
			}
			if target := property(c, propLink); target != "" {
				f.sum = linkPrefix + target
			}
			s.files = append(s.files, f)
		}
	}
	return s, true, nil
}

// onlyTool reports whether there is one tool, and it is ours.
func onlyTool(tools *cdx.ToolsChoice) bool {
	return tools != nil && tools.Tools == nil && tools.Services == nil && tools.Components != nil &&
		len(*tools.Components) == 1 && (*tools.Components)[0].Name == Tool
}

// hashOf is a component's SHA-256, or all of them if it states several.
func hashOf(c cdx.Component) string {
	if c.Hashes == nil {
		return ""
	}
	var sums []string
	for _, h := range *c.Hashes {
		if h.Algorithm == cdx.HashAlgoSHA256 {
			sums = append(sums, h.Value)
		}
	}
	return strings.Join(sums, " ")
}

func property(c cdx.Component, name string) string {
	if c.Properties == nil {
		return ""
	}
	for _, p := range *c.Properties {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}
