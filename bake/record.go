// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"maps"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/crane-bake/crane-bake/internal/layer"
)

// RecordLabel is the config label that holds an image's Record.
const RecordLabel = "io.github.crane-bake.record"

// recordVersion is raised when an older reader would misunderstand a record.
const recordVersion = 1

// A Record says, inside a baked image, what the bake added to which base: all
// that it takes to verify the bake, to take it off, and to put it on another
// base. No time, host, user or tool version is in it.
type Record struct {
	Version     int            `json:"version"`
	Base        RecordedBase   `json:"base"`
	Assets      []RecordedFile `json:"assets,omitempty"`
	Layers      []string       `json:"layers,omitempty"` // the classes of the bake's layers, in order
	AssetsDir   string         `json:"assetsDir,omitempty"`
	Compression string         `json:"compression,omitempty"`
	LayerMode   LayerMode      `json:"layerMode,omitempty"`
	Env         RecordedChange `json:"env,omitzero"`
	Labels      RecordedChange `json:"labels,omitzero"`
	Annotations RecordedChange `json:"annotations,omitzero"` // of this platform's manifest
	// Settings is the base's values of the config members that the bake
	// changed, null where the base had none.
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
	// Created is the base's creation time, empty if it had none, where the bake
	// replaced it; else nil.
	Created *string `json:"created,omitempty"`
}

// RecordedBase is the base of one platform's image.
type RecordedBase struct {
	Name      string          `json:"name,omitempty"`    // fully qualified; empty for a base in a file
	Digest    v1.Hash         `json:"digest"`            // of this platform's manifest
	MediaType types.MediaType `json:"mediaType"`         // of this platform's manifest
	Layers    int             `json:"layers"`            // how many layers are the base's
	History   int             `json:"history"`           // how many history entries are the base's
	ChainID   string          `json:"chainID,omitempty"` // of the base's diffIDs (OCI image-spec, config.md)
	Index     *RecordedIndex  `json:"index,omitempty"`   // where the base was one platform of an index
}

// RecordedIndex is the index of a multi-platform base.
type RecordedIndex struct {
	Digest      v1.Hash         `json:"digest"`
	MediaType   types.MediaType `json:"mediaType"`
	Annotations RecordedChange  `json:"annotations,omitzero"`
}

// RecordedFile is one asset of the bake. The SHA-256 of a directory or archive
// is that of lines like sha256sum's, "HEX  PATH\n" with paths relative to Path,
// sorted by path; a link's HEX is "link:" and its target.
type RecordedFile struct {
	Role   Role   `json:"role"`
	Name   string `json:"name,omitempty"`
	Path   string `json:"path"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	Tree   bool   `json:"tree,omitempty"`  // a directory or archive
	Files  int    `json:"files,omitempty"` // how many files a tree has
}

// RecordedChange is what the bake did to a map of the image.
type RecordedChange struct {
	Set      []string          `json:"set,omitempty"`      // keys that the bake set, sorted
	Replaced map[string]string `json:"replaced,omitempty"` // the base's values of those that it had
}

// changeMap puts changes into m, and returns what that did.
func changeMap(m, changes map[string]string) (map[string]string, RecordedChange) {
	var record RecordedChange
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	for _, k := range slices.Sorted(maps.Keys(changes)) {
		record.note(k, out)
		out[k] = changes[k]
	}
	return out, record
}

// note records that key is about to be set in m.
func (c *RecordedChange) note(key string, m map[string]string) {
	c.Set = append(c.Set, key)
	if old, ok := m[key]; ok {
		if c.Replaced == nil {
			c.Replaced = map[string]string{}
		}
		c.Replaced[key] = old
	}
}

// takenOff is m as it was before the change.
func (c RecordedChange) takenOff(m map[string]string) map[string]string {
	out := maps.Clone(m)
	if out == nil && len(c.Replaced) > 0 {
		out = map[string]string{} // of a record that lies
	}
	for _, k := range c.Set {
		delete(out, k)
	}
	for _, k := range slices.Sorted(maps.Keys(c.Replaced)) {
		out[k] = c.Replaced[k]
	}
	return out
}

// encode is the compact form that the label holds.
func (r Record) encode() (string, error) {
	b, err := json.Marshal(r)
	return string(b), err
}

// recordedFiles is the assets of a plan, whose layers must be resolved. A file
// counts as part of the asset that has its path, or else of the tree with the
// longest path above it, whichever copy brought it: the image does not tell.
func recordedFiles(items []*item, layers []*bakedLayer) []RecordedFile {
	var files []RecordedFile
	for _, it := range items {
		files = append(files, RecordedFile{Role: it.Role, Name: it.Name, Path: it.Path, Tree: it.tree})
	}
	var packed []layer.File
	for _, l := range layers {
		packed = append(packed, l.made.Files()...)
	}
	accounted, _ := account(files, packed)
	return accounted
}
