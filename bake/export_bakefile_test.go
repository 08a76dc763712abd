// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

// BakeFile is spec as Extract writes it down, and what it leaves out.
func BakeFile(spec Spec) (page []byte, unsaid []string, err error) {
	unsaid = spec.unsayable()
	page, err = spec.bakeFile([]string{"heading"})
	return page, unsaid, err
}
