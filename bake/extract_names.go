// Copyright The crane-bake Authors
// SPDX-License-Identifier: Apache-2.0

package bake

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// diskNames are the names that are taken, in lower case: some file systems tell
// no case apart.
type diskNames struct {
	taken    map[string]bool
	numbered map[string]bool // directories for names that are taken
}

func newDiskNames() diskNames {
	return diskNames{map[string]bool{BakeFileName: true}, map[string]bool{}}
}

// take returns a free name with the base name base.
func (d diskNames) take(base string) string {
	name := base
	for n := 2; d.taken[strings.ToLower(name)]; n++ {
		dir := strconv.Itoa(n)
		if !d.numbered[dir] && d.taken[dir] {
			continue
		}
		name = path.Join(dir, base)
	}
	if dir, _, ok := strings.Cut(name, "/"); ok {
		d.numbered[dir], d.taken[dir] = true, true
	}
	d.taken[strings.ToLower(name)] = true
	return name
}

// maxName is the longest name that most file systems have, in bytes, with room
// for an extension.
const maxName = 240

// onDisk reports whether the base name of an in-image path can be that of a
// file which a bake file names.
func onDisk(p string) bool {
	base := path.Base(p)
	return len(base) <= maxName && !strings.ContainsAny(base, "\\\x00") && base != "/"
}

// safeName is a name for what is at an in-image path, in characters that are
// nothing special to shells, bake files and file systems.
func safeName(p string) string {
	name := strings.Map(func(r rune) rune {
		if r > 0x7f || strings.ContainsRune("._-+", r) || slices.Contains(alphanumeric, r) {
			return r
		}
		return '_'
	}, path.Base(p))
	for len(name) > maxName {
		runes := []rune(name)
		name = string(runes[:len(runes)-1])
	}
	if p == "/" {
		return "root"
	}
	return name
}

var alphanumeric = []rune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
