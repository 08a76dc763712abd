// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bakefile

import (
	"fmt"
	"strings"
)

// didYouMean is a hint with the name that word is most likely a slip of, or
// else with the names there are. It returns that name as well.
func didYouMean(word, what string, names []string) (hint, name string) {
	if name = nearest(word, names); name != "" {
		return fmt.Sprintf("did you mean %q?", name), name
	}
	return fmt.Sprintf("%s: %s", what, enumerate(names)), ""
}

// enumerate is a list for people, cut where nobody reads on.
func enumerate(names []string) string {
	const most = 30
	if len(names) == 0 {
		return "none"
	}
	if extra := len(names) - most; extra > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), extra)
	}
	return strings.Join(names, ", ")
}

// nearest is the name with the smallest edit distance to word, empty if none
// is near. Of several, it is one that starts with word (the plural), or else
// the first. Case, "-" and "_" do not count.
func nearest(word string, names []string) string {
	w := fold(word)
	far := min(3, max(1, len(w)/3)) + 1
	best, bestScore := "", 2*far-1
	for _, name := range names {
		n := fold(name)
		if abs(len(n)-len(w)) >= far {
			continue // a distance is at least that; spares long words
		}
		score := 2 * distance(w, n)
		if strings.HasPrefix(string(n), string(w)) {
			score--
		}
		if score < bestScore {
			best, bestScore = name, score
		}
	}
	return best
}

var separators = strings.NewReplacer("-", "", "_", "")

func fold(s string) []rune { return []rune(strings.ToLower(separators.Replace(s))) }

func abs(n int) int { return max(n, -n) }

// distance counts the insertions, deletions, substitutions and swaps of
// neighbours between a and b (optimal string alignment).
func distance(a, b []rune) int {
	var before, last []int // rows i-2 and i-1 of the usual matrix
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
