// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/crane-bake/crane-bake/bake"
)

// referrersText lists what refers to an image, a line each.
func referrersText(referrers []bake.Referrer) string {
	s := &sheet{}
	var rows [][]string
	for _, r := range referrers {
		kind := r.ArtifactType
		if kind == "" {
			kind = string(r.MediaType)
		}
		rows = append(rows, []string{"referrer", kind, r.Digest.String(), size(r.Size)})
	}
	if len(rows) > 0 {
		s.b.WriteByte('\n')
		s.table(rows...)
	}
	return s.b.String()
}
