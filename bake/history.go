// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"encoding/json"
	"fmt"
	"strings"
)

// historyEntry is an entry of a config's history (OCI image-spec, config.md).
type historyEntry struct {
	Created    string `json:"created,omitempty"`
	CreatedBy  string `json:"created_by"`
	EmptyLayer bool   `json:"empty_layer,omitempty"`
}

// namedInHistory is how many assets a history entry names.
const namedInHistory = 8

// history is the bake's entries: one a layer that names its assets, and one
// for the environment.
func (p *Plan) history(base *baseConfig, created string) []json.RawMessage {
	var entries []historyEntry
	for _, l := range p.layers {
		var paths []string
		for i, it := range l.items {
			if i == namedInHistory {
				paths = append(paths, fmt.Sprintf("and %d more", len(l.items)-i))
				break
			}
			paths = append(paths, it.Path)
		}
		entries = append(entries, historyEntry{Created: created, CreatedBy: "crane-bake: " + l.class + ": " + strings.Join(paths, " ")})
	}
	if env := p.envFor(base); len(env) > 0 {
		var keys []string
		for _, e := range env {
			k, _, _ := strings.Cut(e, "=")
			keys = append(keys, k)
		}
		entries = append(entries, historyEntry{Created: created, CreatedBy: "crane-bake: environment: " + strings.Join(keys, " "), EmptyLayer: true})
	}
	raw := make([]json.RawMessage, len(entries))
	for i, e := range entries {
		raw[i], _ = marshal(e) // strings and a bool always encode
	}
	return raw
}
