// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package draft

import (
	"strconv"
	"strings"
	"unicode"
)

// words takes a name apart: at what is neither letter nor digit, and where an
// upper-case letter follows a lower-case one. The words are in lower case.
func words(s string) []string {
	var b strings.Builder
	last := ' '
	for _, r := range s {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			b.WriteByte(' ')
		case unicode.IsUpper(r) && unicode.IsLower(last):
			b.WriteByte(' ')
			fallthrough
		default:
			b.WriteRune(unicode.ToLower(r))
		}
		last = r
	}
	return strings.Fields(b.String())
}

// A side is whether something is for inputs or for outputs.
type side int

const (
	either side = iota
	inputs
	outputs
)

func (s side) String() string { return [...]string{"either side", "input", "output"}[s] }

// sideOf is the side of a slot: even numbers are inputs.
func sideOf(slot int) side {
	if slot%2 == 0 {
		return inputs
	}
	return outputs
}

// sideIn is the side that the words of a name speak of. Short words count only
// in names: in a sentence, "in" says nothing.
func sideIn(s string) side {
	sentence := strings.Contains(strings.TrimSpace(s), " ")
	var in, out bool
	for _, w := range words(s) {
		w = strings.TrimRight(w, "0123456789")
		in = in || strings.HasPrefix(w, "input") || !sentence && (w == "in" || w == "inp")
		out = out || strings.HasPrefix(w, "output") || !sentence && (w == "out" || w == "outp")
	}
	switch {
	case in && !out:
		return inputs
	case out && !in:
		return outputs
	}
	return either
}

// slotIn tells whether a name speaks of the slot by its number: "0", "slot1",
// "input-2". The first input is often called input1, so a number that
// contradicts such a word says nothing.
func slotIn(name string, slot int) bool {
	if s := sideIn(name); s != either && s != sideOf(slot) {
		return false
	}
	for _, w := range words(name) {
		digits := strings.TrimLeft(w, "abcdefghijklmnopqrstuvwxyz")
		switch w[:len(w)-len(digits)] {
		case "", "slot", "stream", "in", "input", "out", "output":
			if digits == strconv.Itoa(slot) {
				return true
			}
		}
	}
	return false
}

// alike compares names without letter case and separators.
func alike(a, b string) bool {
	return strings.EqualFold(plain(a), plain(b))
}

var plain = strings.NewReplacer("-", "", "_", "", ".", "", " ", "").Replace

// speaksOf tells whether a text has a word that is name, be it in the plural.
func speaksOf(text, name string) bool {
	singular := func(s string) string { return strings.TrimSuffix(strings.ToLower(s), "s") }
	if len(name) < 3 {
		return false
	}
	for _, w := range words(text) {
		if singular(w) == singular(name) {
			return true
		}
	}
	return false
}
