// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

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
	Env         RecordedChange `json:"env"`
	Labels      RecordedChange `json:"labels"`
	// Settings is the base's values of the config members that the bake
	// changed, null where the base had none.
	Settings map[string]json.RawMessage `json:"settings,omitempty"`
	// Created is the base's creation time where the bake replaced it.
	Created string `json:"created,omitempty"`
}

// RecordedBase is the base of one platform's image.
type RecordedBase struct {
	Name      string          `json:"name,omitempty"`    // fully qualified; empty for a base in a file
	Digest    v1.Hash         `json:"digest"`            // of this platform's manifest
	MediaType types.MediaType `json:"mediaType"`         // of this platform's manifest
	Layers    int             `json:"layers"`            // how many layers are the base's
	History   int             `json:"history"`           // how many history entries are the base's
	ChainID   string          `json:"chainID,omitempty"` // of the base's diffIDs (OCI image-spec, config.md)
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
	Files  int    `json:"files,omitempty"` // how many files, of a directory or archive
}

// RecordedChange is what the bake did to a map of the config.
type RecordedChange struct {
	Set      []string          `json:"set,omitempty"`      // keys that the bake set
	Replaced map[string]string `json:"replaced,omitempty"` // the base's values of those that it had
}

// encode is the compact form that the label holds.
func (r Record) encode() (string, error) {
	b, err := json.Marshal(r)
	return string(b), err
}

// recordedFiles is the assets of the layers, which must be resolved.
func recordedFiles(items []*item, layers []*bakedLayer) []RecordedFile {
	packed := map[string]layer.File{}
	for _, l := range layers {
		for _, f := range l.Files() {
			packed[f.Name] = f
		}
	}
	files := make([]RecordedFile, len(items))
	for i, it := range items {
		files[i] = RecordedFile{Role: it.Role, Name: it.Name, Path: it.Path, Size: it.Size, Files: it.Files}
		if it.tree {
			files[i].SHA256 = treeHash(it, packed)
		} else if len(it.members) == 1 {
			files[i].SHA256 = packed[it.members[0]].SHA256
		}
	}
	return files
}

// treeHash is the SHA-256 of a directory or archive; see RecordedFile.
func treeHash(it *item, packed map[string]layer.File) string {
	h := sha256.New()
	root := strings.TrimPrefix(it.Path, "/") + "/"
	for _, m := range slices.Sorted(slices.Values(it.members)) {
		f := packed[m]
		content := f.SHA256
		if content == "" {
			content = "link:" + f.Linkname
		}
		fmt.Fprintf(io.Writer(h), "%s  %s\n", content, strings.TrimPrefix(m, root))
	}
	return hex.EncodeToString(h.Sum(nil))
}
