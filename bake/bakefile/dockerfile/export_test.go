// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package dockerfile

// Supported are the instructions that are followed, with their options.
var Supported = supported

// Refused are the names of the other instructions.
func Refused() []string {
	var names []string
	for name := range refused {
		names = append(names, name)
	}
	return names
}

// Refusals are the texts of all refusals: what, why, and the way out.
func Refusals() [][3]string {
	var texts [][3]string
	for _, r := range refusals {
		texts = append(texts, [3]string{r.what, r.reason, r.way})
	}
	return texts
}
