// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// historyEntry is an entry of a config's history (OCI image-spec, config.md).
type historyEntry struct {
	Created    string `json:"created,omitempty"`
	CreatedBy  string `json:"created_by"`
	EmptyLayer bool   `json:"empty_layer,omitempty"`
}

// ownHistory begins the entries of a bake.
const ownHistory = "crane-bake: "

// namedInHistory is how many assets a history entry names.
const namedInHistory = 8

// historyOn is the patch's entries: one a layer that names its assets, and one
// for the environment.
func (pt patch) historyOn(created string, env []string) []json.RawMessage {
	if pt.history != nil {
		return pt.history
	}
	var entries []historyEntry
	for _, l := range pt.layers {
		entries = append(entries, historyEntry{Created: created, CreatedBy: l.createdBy})
	}
	if len(env) > 0 {
		var keys []string
		for _, e := range env {
			k, _, _ := strings.Cut(e, "=")
			keys = append(keys, k)
		}
		entries = append(entries, historyEntry{Created: created, CreatedBy: setBy(keys), EmptyLayer: true})
	}
	raw := make([]json.RawMessage, len(entries))
	for i, e := range entries {
		raw[i], _ = marshal(e) // strings and a bool always encode
	}
	return raw
}

// setBy is the history of an environment with the variables keys.
func setBy(keys []string) string { return ownHistory + "environment: " + strings.Join(keys, " ") }

// createdBy is the history of a layer of the class with files at paths.
func createdBy(class string, paths []string) string {
	if n := len(paths) - namedInHistory; n > 0 {
		paths = append(slices.Clone(paths[:namedInHistory]), fmt.Sprintf("and %d more", n))
	}
	return ownHistory + class + ": " + strings.Join(paths, " ")
}
