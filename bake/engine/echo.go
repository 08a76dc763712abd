// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"strings"
	"unicode"
)

// A stream descriptor may hold a secret anywhere: a separator that was left out
// is enough to make a password part of a driver's name, and a field that was
// left out to make it a topic. So findings show of a descriptor only what
// cannot be a part of a connection string, a URL, or a token.

// unshown stands for a value that is not shown.
const unshown = "…"

// echo is a descriptor's value in double quotes, if it may be shown.
func echo(s string) string {
	if !isWord(s) {
		return quote(unshown)
	}
	return quote(s)
}

// echoPath is a path from a descriptor, or from code, if it may be shown.
func echoPath(p string) string {
	for segment := range strings.SplitSeq(p, "/") {
		if segment != "" && !isWord(segment) {
			return unshown
		}
	}
	return p
}

// isWord tells whether s is a name like those of topics, buckets and types,
// which no secret with a separator, no base64 and no long token is.
func isWord(s string) bool {
	return len(s) <= 64 && strings.IndexFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '-' && r != '_' && r != '.' && r != '$'
	}) < 0
}
