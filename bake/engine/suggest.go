// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/crane-bake/crane-bake/internal/spelling"
)

// nearest returns the candidate that word was probably meant to be, never word
// itself, or "" where none is close.
func nearest(word string, candidates []string) string {
	others := slices.DeleteFunc(slices.Clone(candidates), func(c string) bool { return c == word })
	return spelling.Nearest(word, others)
}

// quote is s in double quotes, shortened where it is long, on one line.
func quote(s string) string {
	const limit = 80
	if len(s) > limit {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(s[:limit], ""))
	}
	return fmt.Sprintf("%q", s)
}

// quoteList is the items in double quotes, separated by commas, the first few
// of many.
func quoteList(items []string) string {
	const limit = 12
	var b strings.Builder
	for i, item := range items {
		if i == limit {
			fmt.Fprintf(&b, " and %d more", len(items)-limit)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quote(item))
	}
	return b.String()
}
