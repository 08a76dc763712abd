// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// An Inspection says what is baked into an image. Its lists and maps are empty
// rather than nil.
type Inspection struct {
	Image     string              `json:"image"` // by digest
	Digest    v1.Hash             `json:"digest"`
	MediaType types.MediaType     `json:"mediaType"`
	Index     bool                `json:"index"` // an index, or one image
	Platforms []InspectedPlatform `json:"platforms"`
	Referrers []Referrer          `json:"referrers"` // to what Digest names; empty without InspectOptions.Referrers
	Notes     []string            `json:"notes"`
}

// InspectedPlatform is the bake in the image of one platform.
type InspectedPlatform struct {
	Platform string          `json:"platform"`
	Digest   v1.Hash         `json:"digest"`
	Recorded bool            `json:"recorded"` // whether it has a record of its bake
	Base     InspectedBase   `json:"base"`
	Bindings engine.Bindings `json:"bindings"`
	// Files are those of the bake, in its order; without a record, the bound
	// files that were found and those beside them.
	Files []InspectedFile `json:"files"`
	// Layers are those of the bake; without a record, those that bound files
	// were found in.
	Layers []ReportLayer `json:"layers"`
	// Env, Labels and Annotations are what the bake set; without a record, Env
	// is the variables of the engine contract.
	Env         InspectedChange `json:"env"`
	Labels      InspectedChange `json:"labels"`
	Annotations InspectedChange `json:"annotations"`
	// Settings is the other members of the image's config that the bake set,
	// such as User, null where it removed one. Of ExposedPorts and Volumes it
	// lists what was added.
	Settings map[string]json.RawMessage `json:"settings"`
	// Slots is nil without InspectOptions.Slots.
	Slots []InspectedSlot `json:"slots,omitempty"`
	// Findings are about the bindings alone; Verify looks at the files.
	Findings []engine.Finding `json:"findings"`
	// Record is the image's own; nil without one.
	Record *Record `json:"-"`
}

// InspectedBase is the base of a bake, as far as the image tells.
type InspectedBase struct {
	Name   string   `json:"name,omitempty"`
	Digest *v1.Hash `json:"digest,omitempty"` // of the manifest for the platform
	Index  *v1.Hash `json:"index,omitempty"`  // that the manifest was chosen from
	Layers int      `json:"layers,omitempty"`
}

// InspectedFile is a baked file, or a directory or unpacked archive as one.
type InspectedFile struct {
	RecordedFile
	Layer *v1.Hash `json:"layer,omitempty"` // that holds it; nil where that was not read
}

// InspectedChange is what a bake set and what it replaced.
type InspectedChange struct {
	Set      map[string]string `json:"set"`
	Replaced map[string]string `json:"replaced"`
}

// newInspectedChange takes set and replaced, either of which may be nil.
func newInspectedChange(set, replaced map[string]string) InspectedChange {
	c := InspectedChange{set, replaced}
	if c.Set == nil {
		c.Set = map[string]string{}
	}
	if c.Replaced == nil {
		c.Replaced = map[string]string{}
	}
	return c
}

// InspectedSlot is a slot that a stream is bound to, or that the model uses.
type InspectedSlot struct {
	Number int    `json:"slot"`             // even: input, odd: output
	Stream string `json:"stream,omitempty"` // in-image path of the descriptor; empty where none is bound
	// Schema is the name that the model, or else the stream, gives the slot's
	// schema; empty where neither names one, or their layers are large.
	Schema string `json:"schema,omitempty"`
	// Unused is for a slot that the model, which was read, does not use.
	Unused bool `json:"unused,omitempty"`
}
