// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"fmt"
	"strings"
)

// nearest returns the candidate that word was probably meant to be: the one
// with the smallest edit distance, the first one of equals. Letter case counts
// for nothing but ties. It returns "" when every candidate is further away
// than a third of the word.
func nearest(word string, candidates []string) string {
	// A longer word is no slip of the keyboard, and distances cost the product
	// of the lengths.
	if len(word) > 64 {
		return ""
	}
	best, bestDistance := "", max(1, len(word)/3)*2+1
	lower := strings.ToLower(word)
	for _, c := range candidates {
		if c == word || len(c) > 64 {
			continue
		}
		d := 2 * editDistance(lower, strings.ToLower(c))
		if !sharesCase(word, c) {
			d++
		}
		if d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// sharesCase tells whether both words start with a letter of the same case.
func sharesCase(a, b string) bool {
	upper := func(s string) bool { return s != "" && s[0] >= 'A' && s[0] <= 'Z' }
	return upper(a) == upper(b)
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours that lead from a to b (optimal string alignment), in bytes.
func editDistance(a, b string) int {
	before, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, row = prev, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
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
