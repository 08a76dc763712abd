// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import "context"

// standing is the sizes by path of the files in the image that the first
// destination in a registry has under its tag now, as its record tells; empty
// where there is none.
func (p *publisher) standing(ctx context.Context) map[string]int64 {
	p.look.Do(func() {
		for _, t := range p.targets {
			r, ok := t.(*repositoryTarget)
			if !ok {
				continue
			}
			img, err := open(ctx, "destination", r.tags[0].String(), p.remote, nil, func(int) {})
			if err != nil {
				return // the upload will say what is wrong, if anything is
			}
			defer img.Close() // was opened for reading only
			record, err := recordOf(img.images[0].config)
			if err != nil || record == nil {
				return
			}
			p.stands = map[string]int64{}
			for _, f := range record.Assets {
				p.stands[f.Path] = f.Size
			}
			return
		}
	})
	return p.stands
}

// seemsUnchanged reports whether the destination's image has files of the same
// paths and sizes as l. Then it is worth a pass over them to find out whether
// they are the same, and need not be sent.
func (p *publisher) seemsUnchanged(ctx context.Context, l *bakedLayer) bool {
	stands := p.standing(ctx)
	for _, it := range l.items {
		if size, ok := stands[it.Path]; !ok || size != it.Size {
			return false
		}
	}
	return true
}
