// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"cmp"
	"encoding/hex"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/crane-bake/crane-bake/internal/provenance"
	"github.com/crane-bake/crane-bake/internal/sbom"
)

// build is the bake of the image that bill is about.
func (p *Provenance) build(img *Image, bill sbom.Image, targets []target) provenance.Build {
	b := provenance.Build{
		Digest: bill.Digest, Builder: p.builder(), Invocation: p.Invocation, Parameters: img.parameters(),
		Materials: materials(bill),
	}
	for _, t := range targets {
		if repo := t.repository(); repo != nil {
			b.Names = append(b.Names, t.String())
		}
	}
	if r, ok := img.changes.(*rebaked); ok {
		digest := r.of.desc.Digest
		b.Materials = append([]provenance.Material{{
			Name: "image", URI: sbom.PURL(r.of.name, digest), Digest: map[string]string{digest.Algorithm: digest.Hex},
		}}, b.Materials...)
	}
	if s := p.Source; s.URI != "" {
		m := provenance.Material{Name: "source", URI: s.URI}
		if raw, err := hex.DecodeString(s.Revision); err == nil && len(raw) == 20 {
			m.Digest = map[string]string{"gitCommit": strings.ToLower(s.Revision)}
		} else if s.Revision != "" {
			m.Annotations = map[string]any{"revision": s.Revision}
		}
		b.Materials = append([]provenance.Material{m}, b.Materials...)
	}
	return b
}

func (p *Provenance) builder() string { return cmp.Or(p.Builder, LocalBuilder) }

// annotations is who vouches for the image, for lists of referrers.
func (p *Provenance) annotations() map[string]string {
	all := map[string]string{builderAnnotation: p.builder()}
	if p.Source.URI != "" {
		all[sourceAnnotation] = p.Source.URI
	}
	return all
}

// materials is what the image has of others: its base, or bases, and the files
// that were baked in.
func materials(bill sbom.Image) []provenance.Material {
	var all []provenance.Material
	for _, b := range bill.Bases() {
		m := provenance.Material{Name: b.Name, URI: sbom.PURL(b.Name, b.Digest), Digest: map[string]string{b.Digest.Algorithm: b.Digest.Hex}}
		if m.Name == "" {
			m.Name = "base"
		}
		all = append(all, m)
	}
	for _, f := range bill.AllFiles() {
		m := provenance.Material{Name: f.Path, Annotations: map[string]any{"role": f.Role}}
		if f.Name != "" {
			m.Annotations["name"] = f.Name
		}
		switch target, link := strings.CutPrefix(f.SHA256, "link:"); {
		case link:
			m.Annotations["link"] = target
		case f.Tree:
			m.Digest = map[string]string{provenance.TreeSHA256: f.SHA256}
		default:
			m.Digest = map[string]string{"sha256": f.SHA256}
		}
		all = append(all, m)
	}
	return all
}

// parameters is what the caller asked for, but for values that may be secret:
// of variables, labels and annotations it has the names.
func (i *Image) parameters() map[string]any {
	if r, ok := i.changes.(*rebaked); ok {
		return map[string]any{"image": r.of.location.publicName()}
	}
	s := i.changes.(*Plan).spec
	all := map[string]any{
		"assetsDir": s.AssetsDir, "compression": s.Compression.String(), "layers": string(s.Layers),
	}
	if loc, err := ParseLocation(s.Base, true); err == nil {
		all["base"] = loc.publicName()
	}
	add := func(key string, v any, there bool) {
		if there {
			all[key] = v
		}
	}
	s.fileParameters(add)
	prefix := provenance.PublicURL(s.ConnectPrefix)
	add("connectPrefix", prefix, prefix != "")
	add("env", slices.Sorted(maps.Keys(s.Env)), len(s.Env) > 0)
	add("labels", slices.Sorted(maps.Keys(s.Labels)), len(s.Labels) > 0)
	add("annotations", slices.Sorted(maps.Keys(s.Annotations)), len(s.Annotations) > 0)
	add("platforms", s.Platforms, len(s.Platforms) > 0)
	add("allow", s.Allow, len(s.Allow) > 0)
	add("created", s.Created.Unix(), !s.Created.IsZero())
	change := s.Settings.change()
	settings := slices.Sorted(maps.Keys(change.members))
	settings = append(settings, slices.Sorted(maps.Keys(change.added))...)
	add("settings", settings, len(settings) > 0)
	return all
}

// fileParameters adds the files that the spec names.
func (s *Spec) fileParameters(add func(key string, v any, there bool)) {
	add("model", publicFile(s.Model), s.Model != "")
	schemas, streams := map[string]string{}, map[string]string{}
	for name, file := range s.Schemas {
		schemas[name] = publicFile(file)
	}
	for slot, file := range s.Streams {
		streams[strconv.Itoa(slot)] = publicFile(file)
	}
	add("schemas", schemas, len(schemas) > 0)
	add("streams", streams, len(streams) > 0)
	var attachments []string
	for _, file := range s.Attachments {
		attachments = append(attachments, publicFile(file))
	}
	unpack := map[string]string{}
	for _, archive := range slices.Sorted(maps.Keys(s.Unpack)) {
		unpack[publicFile(archive)] = s.Unpack[archive]
	}
	add("attachments", attachments, len(attachments) > 0)
	add("unpack", unpack, len(unpack) > 0)
	var assets, copies []map[string]string
	for _, a := range s.Assets {
		assets = append(assets, map[string]string{"path": publicFile(a.Path), "dest": a.Dest})
	}
	for _, c := range s.Copies {
		copies = append(copies, map[string]string{"path": publicFile(c.Path), "dest": c.Dest})
	}
	add("assets", assets, len(assets) > 0)
	add("copies", copies, len(copies) > 0)
}

// publicFile is a file's name without what is known of this machine only: the
// directory of an absolute one.
func publicFile(name string) string {
	if path.IsAbs(name) || filepath.IsAbs(name) {
		return path.Base(filepath.ToSlash(name))
	}
	return name
}

// publicName is the location without what is known of this machine only: the
// directory of a file.
func (l Location) publicName() string {
	if l.registry() {
		return l.String()
	}
	l.path = path.Base(strings.ReplaceAll(l.path, "\\", "/"))
	return l.String()
}
