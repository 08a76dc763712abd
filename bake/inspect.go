// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// InspectOptions say what Inspect looks at; the zero value works.
type InspectOptions struct {
	// Platforms chooses platforms, each OS/ARCH[/VARIANT]; none chooses all.
	Platforms []string
	// Slots finds out which schema each slot has. The model and the streams tell,
	// whose layers are read where they are small, up to 1 MiB.
	Slots bool
	// Referrers lists what refers to the image, or to the index of images: bills
	// of materials, provenance, signatures.
	Referrers bool
}

// Inspect reads what is baked into the image at ref, whoever baked it: a
// variable of the engine contract makes it one. With a record of the bake it
// reads manifests and configs only; without, it reads layers from the top down
// until every bound file is found. A nil remote is anonymous. ErrNotFound is for
// an image that nothing is baked into, and ErrIntegrity for a record that does
// not fit its image.
func Inspect(ctx context.Context, ref string, remote *Remote, opts InspectOptions) (*Inspection, error) {
	chosen, err := parsePlatforms(opts.Platforms)
	if err != nil {
		return nil, err
	}
	img, err := open(ctx, "image", ref, remote.orDefault(), chosen, func(int) {})
	if err != nil {
		return nil, err
	}
	defer img.Close() // was opened for reading only
	out := &Inspection{
		Image:     img.location.withDigest(img.desc.Digest.String()),
		Digest:    img.desc.Digest,
		MediaType: img.desc.MediaType,
		Index:     img.index != nil,
		Referrers: []Referrer{},
		Notes:     append([]string{}, img.notes...),
	}
	if opts.Referrers {
		var note string
		if out.Referrers, note = img.referrers(ctx); note != "" {
			out.Notes = append(out.Notes, note)
		}
	}
	for _, one := range img.images {
		p, err := img.inspect(ctx, one)
		if err == nil && opts.Slots {
			p.Slots, err = img.slots(ctx, one, p)
		}
		if err != nil {
			return nil, &sideError{img.side, fmt.Errorf("platform %s: %w", one.platform, err)}
		}
		if _, labelled := one.config.labels[RecordLabel]; labelled && !p.Recorded {
			out.Notes = append(out.Notes, fmt.Sprintf("%s: %v", one.platform, errUponBake))
		}
		if !p.Recorded {
			left, err := one.leftOut()
			if err != nil {
				return nil, &sideError{img.side, fmt.Errorf("platform %s: %w", one.platform, err)}
			}
			if left != "" && !slices.Contains(out.Notes, left) {
				out.Notes = append(out.Notes, left)
			}
		}
		out.Platforms = append(out.Platforms, *p)
	}
	return out, nil
}

// inspect reads what is baked into one platform's image.
func (b *Base) inspect(ctx context.Context, img *baseImage) (*InspectedPlatform, error) {
	p := &InspectedPlatform{
		Platform: img.platform.String(), Digest: img.desc.Digest,
		Files: []InspectedFile{}, Layers: []ReportLayer{}, Settings: map[string]json.RawMessage{},
		Env: newInspectedChange(nil, nil), Labels: newInspectedChange(nil, nil), Annotations: newInspectedChange(nil, nil),
	}
	p.Bindings, p.Findings = engine.Decode(img.config.env)
	if len(contractEnv(envMap(img.config.env))) == 0 {
		return nil, errNothingBaked()
	}
	if p.Findings == nil {
		p.Findings = []engine.Finding{}
	}
	record, err := recordOf(img.config)
	if err != nil && !errors.Is(err, errUponBake) {
		return nil, err
	}
	if record == nil || err != nil {
		p.Env = newInspectedChange(envMap(contractEnv(envMap(img.config.env))), nil)
		p.Base.Name = img.manifest.Annotations[baseNameAnnotation]
		if h, err := v1.NewHash(img.manifest.Annotations[baseDigestAnnotation]); err == nil {
			p.Base.Digest = &h
		}
		return p, b.locate(ctx, img, p)
	}
	baked, err := b.unbake(img, record)
	if err != nil {
		return nil, err
	}
	if err := p.describe(baked); err != nil {
		return nil, err
	}
	if len(record.Assets) == 0 && len(record.Layers) > 0 {
		return p, b.locate(ctx, img, p)
	}
	return p, nil
}

// describe fills in what the record tells.
func (p *InspectedPlatform) describe(img *bakedImage) error {
	r := img.record
	p.Recorded, p.Record = true, r
	p.Base = InspectedBase{Name: r.Base.Name, Digest: &r.Base.Digest, Layers: r.Base.Layers}
	if r.Base.Index != nil {
		p.Base.Index = &r.Base.Index.Digest
	}
	p.Env = newInspectedChange(img.patch.env, r.Env.Replaced)
	p.Labels = newInspectedChange(img.patch.labels, maps.Clone(r.Labels.Replaced))
	delete(p.Labels.Replaced, RecordLabel) // of a bake below this one
	p.Annotations = newInspectedChange(img.patch.annotations, nil)
	for k := range img.patch.annotations {
		if old, ok := r.Annotations.Replaced[k]; ok {
			p.Annotations.Replaced[k] = old
		}
	}
	maps.Copy(p.Settings, img.patch.settings.members)
	for k, added := range img.patch.settings.added {
		raw, err := marshal(added)
		if err != nil {
			return err
		}
		p.Settings[k] = raw
	}
	byClass := map[string]*v1.Hash{}
	for _, l := range img.patch.layers {
		desc := l.found.desc
		p.Layers = append(p.Layers, ReportLayer{Class: l.class, Digest: desc.Digest, DiffID: l.found.diffID, Size: desc.Size, MediaType: desc.MediaType})
		byClass[l.class] = &desc.Digest
	}
	for _, f := range r.Assets {
		at := byClass[classOf(f.Role)]
		if at == nil {
			at = byClass[sharedClass]
		}
		p.Files = append(p.Files, InspectedFile{f, at})
	}
	return nil
}

// classOf is the class of layers for files of a role.
func classOf(role Role) string {
	for _, c := range classes {
		if slices.Contains(c.roles, role) {
			return c.name
		}
	}
	return ""
}
