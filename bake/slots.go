// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/crane-bake/crane-bake/bake/engine"
	"github.com/crane-bake/crane-bake/internal/layer"
)

// slots is the slots that streams are bound to and those that the model uses,
// in order, as far as small layers tell.
func (b *Base) slots(ctx context.Context, img *baseImage, p *InspectedPlatform) ([]InspectedSlot, error) {
	contents, err := b.readSmall(ctx, img, p.Files, RoleModel, RoleStream)
	if err != nil {
		return nil, err
	}
	return slotsOf(p, contents), nil
}

// slotsOf is the slots of p, as far as the contents of its model and streams, by
// path, tell.
func slotsOf(p *InspectedPlatform, contents map[string][]byte) []InspectedSlot {
	slots := map[int]*InspectedSlot{}
	var survey engine.ModelSurvey
	if model, ok := contents[p.Bindings.Model]; ok {
		survey, _ = engine.SurveyModel(p.Bindings.Model, model)
	}
	known := survey.Runner != ""
	for number, path := range p.Bindings.Streams {
		s := &InspectedSlot{Number: number, Stream: path, Unused: known}
		if content, ok := contents[path]; ok {
			s.Schema = engine.SurveyFile(content).Ref
		}
		slots[number] = s
	}
	for _, used := range survey.Slots {
		if slots[used.Number] == nil {
			slots[used.Number] = &InspectedSlot{Number: used.Number}
		}
		s := slots[used.Number]
		s.Unused = false
		if used.Schema != "" {
			s.Schema = used.Schema
		}
	}
	out := []InspectedSlot{}
	for _, n := range slices.Sorted(maps.Keys(slots)) {
		out = append(out, *slots[n])
	}
	return out
}

// readSmall is the contents of the files of some roles that are in small
// layers, by path.
func (b *Base) readSmall(ctx context.Context, img *baseImage, files []InspectedFile, roles ...Role) (map[string][]byte, error) {
	wanted := map[v1.Hash]map[string]bool{} // names, by layer
	for _, f := range files {
		if f.Layer == nil || !slices.Contains(roles, f.Role) {
			continue
		}
		if wanted[*f.Layer] == nil {
			wanted[*f.Layer] = map[string]bool{}
		}
		wanted[*f.Layer][strings.TrimPrefix(f.Path, "/")] = true
	}
	contents := map[string][]byte{}
	for n, desc := range img.manifest.Layers {
		names := wanted[desc.Digest]
		if names == nil || desc.Size > heldSize {
			continue
		}
		delete(wanted, desc.Digest) // a layer may be there twice
		err := b.readLayer(ctx, img, n, func(e layer.Entry) error {
			if !names[e.Name] || e.Open == nil || e.Size > maxHeld {
				return nil
			}
			rc, err := e.Open()
			if err != nil {
				return err
			}
			defer rc.Close() // of a reader within the layer
			contents["/"+e.Name], err = io.ReadAll(rc)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return contents, nil
}
