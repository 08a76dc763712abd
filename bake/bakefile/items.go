// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A member is a key of a list's items that are mappings.
type member struct {
	name  string
	check func(label, value string) error // like field.check
}

// decodeItems reads a list of mappings. A text's key has the item's number and
// the member's name, as in "0.from"; see itemsOf.
func decodeItems(n *node, f *field, ps *problems) setting {
	var s setting
	var known []string
	for _, m := range f.parts {
		known = append(known, m.name)
	}
	for i, item := range n.items {
		label := f.name + " item"
		if !wants(item, mapping, label, ps) {
			s.broken = true
			continue
		}
		present, understood := map[string]bool{}, true
		for _, e := range item.entries {
			m := slices.Index(known, e.key)
			if m < 0 {
				hint, _ := didYouMean(e.key, "keys", known)
				ps.add(e.pos, fmt.Sprintf("%s: unknown key %q", label, e.key), hint)
				s.broken = true
				understood = false
				continue
			}
			present[e.key] = true
			part := &field{name: f.name, check: f.parts[m].check}
			s.texts = append(s.texts, decodeText(e.value, f.name+" "+e.key, strconv.Itoa(i)+"."+e.key, part, ps))
		}
		if err := checkCopy(present); err != nil && understood {
			ps.addError(item.pos, fmt.Errorf("%s: %w", label, err))
			s.broken = true
		}
	}
	return s
}

// itemsOf is the items that texts of decodeItems make up, in order.
func itemsOf(vs []value) []map[string]string {
	var items []map[string]string
	last := ""
	for _, v := range vs {
		number, name, _ := strings.Cut(v.key, ".")
		if number != last {
			items, last = append(items, map[string]string{}), number
		}
		items[len(items)-1][name] = v.text
	}
	return items
}
