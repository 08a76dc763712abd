// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

// Package spelling finds the name that a misspelt word was meant to be.
package spelling

import "strings"

// longest is the length from which a word is no slip of the keyboard;
// distances cost the product of the lengths.
const longest = 64

// Nearest is the name with the smallest edit distance to word, or "" where none
// is within a third of the word (at least one edit, at most three). Letter
// case, "-" and "_" count for nothing but ties, and of equally near names the
// one that begins with word, then one whose first letter has its case, then the
// first wins.
func Nearest(word string, names []string) string {
	w := fold(word)
	if len(w) > longest {
		return ""
	}
	far := min(3, max(1, len(w)/3)) + 1
	best, bestScore := "", 4*far
	for _, name := range names {
		n := fold(name)
		if max(len(n)-len(w), len(w)-len(n)) >= far {
			continue // a distance is at least that
		}
		d := distance(w, n)
		if d >= far {
			continue
		}
		score := 4 * d
		if !strings.HasPrefix(string(n), string(w)) {
			score += 2
		}
		if upper(word) != upper(name) {
			score++
		}
		if score < bestScore || best == "" {
			best, bestScore = name, score
		}
	}
	return best
}

var separators = strings.NewReplacer("-", "", "_", "")

func fold(s string) []rune { return []rune(strings.ToLower(separators.Replace(s))) }

func upper(s string) bool { return s != "" && s[0] >= 'A' && s[0] <= 'Z' }

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours between a and b (optimal string alignment).
func distance(a, b []rune) int {
	var before, last []int // rows i-1 and i of the usual matrix
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before, last, row = last, row, make([]int, len(b)+1)
		row[0] = i + 1
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}
