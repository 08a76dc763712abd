// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"bytes"
	"fmt"
	"io"
	"path"

	"github.com/crane-bake/crane-bake/bake/engine"
)

// maxTrials is how many candidates of a slot are tried.
const maxTrials = 50

// passes tells whether the check finds no error in a descriptor that is bound
// to a slot of the model, as far as it can be judged alone. Of one candidate
// there is nothing to tell.
func (c *choices) passes(w *want, f *file) bool {
	if len(w.set) < 2 || len(w.set) > maxTrials {
		return false
	}
	img := engine.Image{Bindings: &engine.Bindings{Schemas: map[string]string{}, Streams: map[int]string{}}}
	add := func(f *file) string {
		// A directory each: base names may be the same.
		p := fmt.Sprintf("/assets/%d/%s", len(img.Files), path.Base(f.name))
		img.Files = append(img.Files, engine.File{
			Path: p, Mode: 0o644, Size: int64(len(f.content)), Baked: true, Source: f.name,
			Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(f.content)), nil },
		})
		return p
	}
	img.Bindings.Model = add(c.model)
	for _, s := range c.schemas {
		if s.chosen != nil {
			img.Bindings.Schemas[s.name] = add(s.chosen)
		}
	}
	img.Bindings.Streams[w.slot()] = add(f)
	for _, found := range engine.Check(img, engine.Options{}) {
		// Other schemas that a stream refers to are bound after the streams.
		if found.File == f.name && found.Severity == engine.Error && found.Rule != "X-02" {
			return false
		}
	}
	return true
}
